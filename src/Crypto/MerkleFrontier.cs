namespace MeshLedger.Crypto;

/// <summary>The right edge of a growing tree: the roots of its full subtrees, one for each bit of its size. It takes
/// leaves in memory that does not grow with them, and knows the root at every size.</summary>
public sealed class MerkleFrontier
{
    private readonly List<Digest> _peaks = [];

    /// <summary>How many leaves there are.</summary>
    public long Size { get; private set; }

    /// <summary>The tree hash over the leaves so far.</summary>
    public Digest Root => MerkleProof.Join(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_peaks));

    /// <summary>One that grows by itself from here on.</summary>
    public MerkleFrontier Copy()
    {
        var copy = new MerkleFrontier { Size = Size };
        copy._peaks.AddRange(_peaks);
        return copy;
    }

    /// <summary>Takes the next leaf, by its leaf hash.</summary>
    public void Add(Digest leaf)
    {
        // Each trailing one in the size is a full subtree that the new one completes to a larger.
        for (var bits = Size; (bits & 1) == 1; bits >>= 1)
        {
            leaf = MerkleTree.NodeHash(_peaks[^1], leaf);
            _peaks.RemoveAt(_peaks.Count - 1);
        }

        _peaks.Add(leaf);
        Size++;
    }
}
