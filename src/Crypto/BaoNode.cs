using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>
/// A subtree whose value is known to be right, and where it stands: what a verifier keeps of the tree.
/// </summary>
/// <param name="First">The first leaf in it.</param>
/// <param name="Leaves">How many leaves it has; the one at the end of the tree may be short.</param>
/// <param name="Index">How many parents come before it in pre-order.</param>
/// <param name="IsRoot">The root's value is finalised as such.</param>
/// <param name="Value">The value that its bytes must have.</param>
internal readonly record struct BaoNode(long First, long Leaves, long Index, bool IsRoot, Vector256<byte> Value)
{
    public bool IsLeaf => Leaves == 1;

    /// <summary>Where its parent node stands in an outboard.</summary>
    public long OutboardOffset => BaoTree.HeaderBytes + (BaoTree.ParentBytes * Index);

    public static BaoNode Root(long leaves, BlobHash root)
    {
        Span<byte> value = stackalloc byte[BlobHash.Size];
        root.CopyTo(value);
        return new BaoNode(0, leaves, 0, true, Vector256.Create<byte>(value));
    }

    /// <summary>The two subtrees below, unless the 64 bytes of <paramref name="parent"/> are not this node's.</summary>
    public bool TryOpen(ReadOnlySpan<byte> parent, out BaoNode left, out BaoNode right)
    {
        left = right = default;
        if (Blake3Tree.ParentValue(Blake3Mode.Plain, parent, IsRoot) != Value)
        {
            return false;
        }

        var leftLeaves = BaoTree.LeftOf(Leaves);
        left = new BaoNode(First, leftLeaves, Index + 1, false, Vector256.Create(parent[..32]));
        right = new BaoNode(
            First + leftLeaves, Leaves - leftLeaves, Index + leftLeaves, false, Vector256.Create(parent[32..]));
        return true;
    }
}

/// <summary>The subtrees that are still to be opened, the next one on top: at most one a level.</summary>
internal sealed class BaoPath
{
    // A tree over 2^63 bytes has 53 levels of parents; opening one takes a node away and adds two.
    private readonly BaoNode[] _nodes = new BaoNode[56];

    public int Count { get; private set; }

    public BaoNode Pop() => _nodes[--Count];

    public BaoNode Peek() => _nodes[Count - 1];

    public void Push(BaoNode node) => _nodes[Count++] = node;
}
