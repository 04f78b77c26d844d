using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>Parents of a tree whose leaves' values are known.</summary>
internal static class BaoParents
{
    /// <summary>
    /// Writes the parents over n <paramref name="values"/> of 32 bytes in pre-order, 64 bytes each, n - 1 of them, and
    /// returns the value of the whole. The values are used up.
    /// </summary>
    public static Vector256<byte> Build(Span<byte> values, Span<byte> parents, bool root)
    {
        var leaves = values.Length / 32;
        var count = leaves;
        for (var level = 1; count > 2; level++)
        {
            Place(values, parents, level, count, leaves);
            count = Blake3Tree.JoinOnce(Blake3Mode.Plain, values, count);
        }

        if (count == 1)
        {
            return Vector256.Create<byte>(values);
        }

        var top = values[..BaoTree.ParentBytes];
        top.CopyTo(parents);
        return Blake3Tree.ParentValue(Blake3Mode.Plain, top, root);
    }

    /// <summary>
    /// Writes the parents over the chunks of <paramref name="content"/>, which begins with chunk
    /// <paramref name="firstChunk"/>, in pre-order, and returns the value of the whole.
    /// </summary>
    /// <param name="values">Room for 32 bytes a chunk.</param>
    /// <param name="parents">Room for 64 bytes a chunk but one.</param>
    public static Vector256<byte> OfContent(
        ReadOnlySpan<byte> content, ulong firstChunk, bool root, Span<byte> values, Span<byte> parents)
    {
        if (content.Length <= Blake3Core.ChunkBytes)
        {
            return Blake3Tree.Value(Blake3Mode.Plain, content, firstChunk, root);
        }

        var chunks = (int)new BaoTree(content.Length, 0).Groups;
        Blake3Tree.ChunkValues(Blake3Mode.Plain, content, firstChunk, values[..(32 * chunks)]);
        return Build(values[..(32 * chunks)], parents, root);
    }

    /// <summary>Puts each parent of one level where pre-order has it. Two values next to each other are a
    /// parent.</summary>
    private static void Place(ReadOnlySpan<byte> values, Span<byte> parents, int level, int count, int leaves)
    {
        for (var pair = 0; pair < count / 2; pair++)
        {
            // Before a parent come as many parents as leaves, and one more for each turn to the left on the way to it.
            var first = pair << level;
            var index = first;
            for (var half = 1 << level; half < leaves; half <<= 1)
            {
                var above = first & -(2 * half);
                index += (first & half) == 0 && above + half < leaves ? 1 : 0;
            }

            var parent = values.Slice(BaoTree.ParentBytes * pair, BaoTree.ParentBytes);
            parent.CopyTo(parents[(BaoTree.ParentBytes * index)..]);
        }
    }
}
