using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>Parents of a tree whose leaves' values are known.</summary>
internal static class BaoParents
{
    /// <summary>
    /// Writes the parents over n <paramref name="values"/> of 32 bytes in pre-order, 64 bytes each, n - 1 of them, and
    /// returns the value of the whole.
    /// </summary>
    public static Vector256<byte> Build(ReadOnlySpan<byte> values, Span<byte> parents, bool root)
    {
        var leaves = values.Length / 32;
        if (leaves == 1)
        {
            return Vector256.Create(values);
        }

        var left = (int)BaoTree.LeftOf(leaves);
        var own = parents[..BaoTree.ParentBytes];
        Build(values[..(32 * left)], parents[BaoTree.ParentBytes..], false).CopyTo(own);
        Build(values[(32 * left)..], parents[(BaoTree.ParentBytes * left)..], false).CopyTo(own[32..]);
        return Blake3Tree.ParentValue(Blake3Mode.Plain, own, root);
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
}
