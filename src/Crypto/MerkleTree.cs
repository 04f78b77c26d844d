using System.Security.Cryptography;

namespace MeshLedger.Crypto;

/// <summary>
/// Merkle trees over SHA-256 as RFC 6962, section 2.1, has them: a leaf's hash is SHA-256(0x00 || entry), a node's is
/// SHA-256(0x01 || left || right), and the left part of n leaves is the largest power of two below n.
/// </summary>
public static class MerkleTree
{
    /// <summary>SHA-256(0x00 || <paramref name="entry"/>).</summary>
    public static Digest LeafHash(ReadOnlySpan<byte> entry)
    {
        if (entry.Length <= 1023)
        {
            Span<byte> buffer = stackalloc byte[entry.Length + 1];
            buffer[0] = 0;
            entry.CopyTo(buffer[1..]);
            return Digest.OfBytes(buffer);
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([0]);
        hash.AppendData(entry);
        Span<byte> result = stackalloc byte[Digest.Size];
        hash.GetHashAndReset(result);
        return new Digest(result);
    }

    /// <summary>SHA-256(0x01 || <paramref name="left"/> || <paramref name="right"/>).</summary>
    public static Digest NodeHash(Digest left, Digest right)
    {
        Span<byte> buffer = stackalloc byte[1 + (2 * Digest.Size)];
        buffer[0] = 1;
        left.CopyTo(buffer[1..]);
        right.CopyTo(buffer[(1 + Digest.Size)..]);
        return Digest.OfBytes(buffer);
    }

    /// <summary>The tree hash of <paramref name="leaves"/>, which are leaf hashes; of none, SHA-256 of nothing.</summary>
    public static Digest Root(ReadOnlySpan<Digest> leaves) => leaves.Length switch
    {
        0 => Digest.OfBytes([]),
        1 => leaves[0],
        _ => NodeHash(Root(leaves[..Split(leaves.Length)]), Root(leaves[Split(leaves.Length)..])),
    };

    /// <summary>The audit path of leaf <paramref name="index"/>: its sibling first, the child of the root last.</summary>
    public static Digest[] InclusionPath(ReadOnlySpan<Digest> leaves, int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, leaves.Length);
        return InclusionPaths(leaves)[index];
    }

    /// <summary>The audit paths of all leaves, each inner node hashed once.</summary>
    public static Digest[][] InclusionPaths(ReadOnlySpan<Digest> leaves) => InclusionPaths(leaves, out _);

    /// <summary>The audit paths of all leaves and the root that they lead to, each inner node hashed once.</summary>
    public static Digest[][] InclusionPaths(ReadOnlySpan<Digest> leaves, out Digest root)
    {
        var paths = new List<Digest>[leaves.Length];
        for (var i = 0; i < paths.Length; i++)
        {
            paths[i] = [];
        }

        root = leaves.IsEmpty ? Root(leaves) : Collect(leaves, paths);
        return Array.ConvertAll(paths, path => path.ToArray());
    }

    /// <summary>The root that <paramref name="path"/> leads to from <paramref name="leaf"/> at
    /// <paramref name="index"/> of <paramref name="size"/>, or null when the path has the wrong length for them.
    /// RFC 9162, section 2.1.3.2.</summary>
    public static Digest? RootFromPath(Digest leaf, long index, long size, ReadOnlySpan<Digest> path)
    {
        if (index < 0 || index >= size)
        {
            return null;
        }

        var (node, last, root) = (index, size - 1, leaf);
        foreach (var sibling in path)
        {
            if (last == 0)
            {
                return null;
            }

            if ((node & 1) == 1 || node == last)
            {
                root = NodeHash(sibling, root);
                while ((node & 1) == 0 && node != 0)
                {
                    node >>= 1;
                    last >>= 1;
                }
            }
            else
            {
                root = NodeHash(root, sibling);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0 ? root : null;
    }

    private static Digest Collect(ReadOnlySpan<Digest> leaves, Span<List<Digest>> paths)
    {
        if (leaves.Length == 1)
        {
            return leaves[0];
        }

        var split = Split(leaves.Length);
        var left = Collect(leaves[..split], paths[..split]);
        var right = Collect(leaves[split..], paths[split..]);
        for (var i = 0; i < leaves.Length; i++)
        {
            paths[i].Add(i < split ? right : left);
        }

        return NodeHash(left, right);
    }

    private static int Split(int count) => 1 << (31 - System.Numerics.BitOperations.LeadingZeroCount((uint)count - 1));
}
