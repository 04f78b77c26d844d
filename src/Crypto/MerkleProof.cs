using System.Numerics;

namespace MeshLedger.Crypto;

/// <summary>The hash over the 2^<paramref name="Level"/> leaves from leaf <paramref name="Index"/> × 2^Level on, all of
/// which are there: once it exists, it never changes.</summary>
public readonly record struct TreeNode(int Level, long Index);

/// <summary>
/// Inclusion and consistency proofs of RFC 6962, section 2.1, made from the hashes of full subtrees wherever they lie,
/// and verified as RFC 9162, sections 2.1.3.2 and 2.1.4.2, has it. A proof is planned first, so that whoever keeps the
/// hashes can fetch all that are needed at once.
/// </summary>
public sealed class MerkleProof
{
    private readonly IReadOnlyList<IReadOnlyList<TreeNode>> _ranges;

    private MerkleProof(IReadOnlyList<IReadOnlyList<TreeNode>> ranges)
    {
        _ranges = ranges;
    }

    /// <summary>The hashes that the proof is made from.</summary>
    public IEnumerable<TreeNode> Needed => _ranges.SelectMany(range => range);

    /// <summary>The audit path of leaf <paramref name="index"/> in the tree of the first <paramref name="size"/> leaves.
    /// </summary>
    public static MerkleProof Inclusion(long index, long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var ranges = new List<IReadOnlyList<TreeNode>>();
        var (low, high) = (0L, size);
        while (high - low > 1)
        {
            var middle = low + Split(high - low);
            if (index < middle)
            {
                ranges.Add(Cover(middle, high));
                high = middle;
            }
            else
            {
                ranges.Add(Cover(low, middle));
                low = middle;
            }
        }

        ranges.Reverse();
        return new MerkleProof(ranges);
    }

    /// <summary>The proof that the tree of the first <paramref name="size"/> leaves begins with that of the first
    /// <paramref name="first"/>. Empty if they are one, or <paramref name="first"/> is 0.</summary>
    public static MerkleProof Consistency(long first, long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, size);
        var ranges = new List<IReadOnlyList<TreeNode>>();
        if (first == 0)
        {
            return new MerkleProof(ranges);
        }

        var (low, high) = (0L, size);
        while (high != first)
        {
            var middle = low + Split(high - low);
            if (first <= middle)
            {
                ranges.Add(Cover(middle, high));
                high = middle;
            }
            else
            {
                ranges.Add(Cover(low, middle));
                low = middle;
            }
        }

        // A verifier knows the first root; only where that is not a node of the larger tree does it need this one.
        if (low > 0)
        {
            ranges.Add(Cover(low, high));
        }

        ranges.Reverse();
        return new MerkleProof(ranges);
    }

    /// <summary>The nodes that the root of the first <paramref name="size"/> leaves is made from, largest first.</summary>
    public static IReadOnlyList<TreeNode> Peaks(long size) => Cover(0, size);

    /// <summary>The root over nodes as <see cref="Peaks"/> names them; of none, SHA-256 of nothing.</summary>
    public static Digest Join(ReadOnlySpan<Digest> nodes)
    {
        if (nodes.IsEmpty)
        {
            return MerkleTree.Root([]);
        }

        var joined = nodes[^1];
        for (var i = nodes.Length - 2; i >= 0; i--)
        {
            joined = MerkleTree.NodeHash(nodes[i], joined);
        }

        return joined;
    }

    /// <summary>The proof's hashes, in its order.</summary>
    /// <param name="hashOf">What each of <see cref="Needed"/> is.</param>
    public Digest[] Make(Func<TreeNode, Digest> hashOf) =>
        [.. _ranges.Select(range => Join([.. range.Select(hashOf)]))];

    /// <summary>True if <paramref name="proof"/> shows that the tree of <paramref name="size"/> leaves begins with the
    /// one of <paramref name="first"/>. Never throws for any proof.</summary>
    public static bool IsConsistent(long first, Digest firstRoot, long size, Digest root, ReadOnlySpan<Digest> proof)
    {
        if (first < 0 || first > size)
        {
            return false;
        }

        if (first == 0 || first == size)
        {
            return proof.IsEmpty && firstRoot == (first == 0 ? MerkleTree.Root([]) : root);
        }

        if (proof.IsEmpty)
        {
            return false;
        }

        var (node, last) = (first - 1, size - 1);
        var shared = BitOperations.TrailingZeroCount(~(ulong)node);
        node >>= shared;
        last >>= shared;
        var isPeak = BitOperations.IsPow2(first);
        var (old, now) = isPeak ? (firstRoot, firstRoot) : (proof[0], proof[0]);
        foreach (var sibling in isPeak ? proof : proof[1..])
        {
            if (last == 0)
            {
                return false;
            }

            if ((node & 1) == 1 || node == last)
            {
                old = MerkleTree.NodeHash(sibling, old);
                now = MerkleTree.NodeHash(sibling, now);
                while ((node & 1) == 0 && node != 0)
                {
                    node >>= 1;
                    last >>= 1;
                }
            }
            else
            {
                now = MerkleTree.NodeHash(now, sibling);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0 && old == firstRoot && now == root;
    }

    /// <summary>The largest power of two below <paramref name="count"/>.</summary>
    private static long Split(long count) => 1L << (63 - BitOperations.LeadingZeroCount((ulong)count - 1));

    /// <summary>Full subtrees that together have the leaves from <paramref name="low"/> to before
    /// <paramref name="high"/>.</summary>
    private static List<TreeNode> Cover(long low, long high)
    {
        var nodes = new List<TreeNode>();
        while (low < high)
        {
            var level = 63 - BitOperations.LeadingZeroCount((ulong)(high - low));
            if (low > 0)
            {
                level = Math.Min(level, BitOperations.TrailingZeroCount(low));
            }

            nodes.Add(new TreeNode(level, low >> level));
            low += 1L << level;
        }

        return nodes;
    }
}
