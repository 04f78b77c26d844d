using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

/// <summary>Proofs from hashes of subtrees, beside the naive tree over all leaves.</summary>
public sealed class MerkleProofTests
{
    private static readonly Digest[] Leaves =
        [.. Enumerable.Range(0, 2000).Select(i => MerkleTree.LeafHash(BitConverter.GetBytes(i)))];

    [Fact]
    public void Every_inclusion_proof_of_every_small_tree_is_that_of_the_naive_tree()
    {
        for (var size = 1; size <= 70; size++)
        {
            var paths = MerkleTree.InclusionPaths(Leaves.AsSpan(0, size));
            for (var index = 0; index < size; index++)
            {
                Assert.Equal(paths[index], MerkleProof.Inclusion(index, size).Make(HashOf));
            }
        }
    }

    [Fact]
    public void Every_consistency_proof_of_every_small_tree_verifies_for_its_two_roots_alone()
    {
        for (var size = 0; size <= 70; size++)
        {
            var root = Root(size);
            for (var first = 0; first <= size; first++)
            {
                var proof = MerkleProof.Consistency(first, size).Make(HashOf);
                Assert.True(MerkleProof.IsConsistent(first, Root(first), size, root, proof), $"{first} {size}");
                Assert.False(MerkleProof.IsConsistent(first, Leaves[1999], size, root, proof), $"{first} {size}");
                Assert.False(MerkleProof.IsConsistent(first, Root(first), size, root, [.. proof, root]), $"{first} {size}");
                if (first > 0)
                {
                    Assert.False(MerkleProof.IsConsistent(first, Root(first), size, Leaves[1999], proof), $"{first} {size}");
                }

                if (proof.Length > 0)
                {
                    Assert.False(MerkleProof.IsConsistent(first, Root(first), size, root, proof.AsSpan(1)), $"{first} {size}");
                }
            }
        }
    }

    [Fact]
    public void The_consistency_proofs_of_RFC_6962_s_example_are_met()
    {
        // Section 2.1.3: seven leaves, d0 to d6.
        var (c, d) = (Leaves[2], Leaves[3]);
        var g = MerkleTree.NodeHash(Leaves[0], Leaves[1]);
        var h = MerkleTree.NodeHash(c, d);
        var i = MerkleTree.NodeHash(Leaves[4], Leaves[5]);
        var j = Leaves[6];
        var k = MerkleTree.NodeHash(g, h);
        var l = MerkleTree.NodeHash(i, j);
        Assert.Equal([c, d, g, l], MerkleProof.Consistency(3, 7).Make(HashOf));
        Assert.Equal([l], MerkleProof.Consistency(4, 7).Make(HashOf));
        Assert.Equal([i, j, k], MerkleProof.Consistency(6, 7).Make(HashOf));
    }

    [Fact]
    public void Any_flipped_bit_of_a_proof_is_refused()
    {
        var sizes = Gen.Choose(1, Leaves.Length);
        var three = from size in sizes
                    from first in Gen.Choose(1, size)
                    from bit in Gen.Choose(0, int.MaxValue)
                    select (first, size, bit);
        Prop.ForAll(three.ToArbitrary(), drawn =>
        {
            var (first, size, bit) = drawn;
            var (root, firstRoot) = (Root(size), Root(first));
            var proof = MerkleProof.Consistency(first, size).Make(HashOf);
            Assert.True(MerkleProof.IsConsistent(first, firstRoot, size, root, proof));
            var path = MerkleProof.Inclusion(first - 1, size).Make(HashOf);
            Assert.Equal(root, MerkleTree.RootFromPath(Leaves[first - 1], first - 1, size, path));
            if (proof.Length > 0)
            {
                Assert.False(MerkleProof.IsConsistent(first, firstRoot, size, root, Flip(proof, bit)));
            }

            if (path.Length > 0)
            {
                Assert.NotEqual(root, MerkleTree.RootFromPath(Leaves[first - 1], first - 1, size, Flip(path, bit)));
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_frontier_has_the_root_of_every_size()
    {
        var frontier = new MerkleFrontier();
        Assert.Equal(Root(0), frontier.Root);
        for (var size = 1; size <= 600; size++)
        {
            frontier.Add(Leaves[size - 1]);
            Assert.Equal(Root(size), frontier.Root);
            Assert.Equal(size, frontier.Size);
            Assert.Equal(frontier.Root, MerkleProof.Join([.. MerkleProof.Peaks(size).Select(HashOf)]));
        }
    }

    [Fact]
    public void Proofs_of_the_largest_trees_are_planned_and_refused_without_overflow()
    {
        var size = long.MaxValue;
        Assert.InRange(MerkleProof.Inclusion(size - 1, size).Needed.Count(), 60, 4000);
        Assert.InRange(MerkleProof.Consistency(size / 3, size).Needed.Count(), 60, 4000);
        Assert.False(MerkleProof.IsConsistent(size - 1, Leaves[0], size, Leaves[1], Leaves.AsSpan(0, 63)));
        Assert.False(MerkleProof.IsConsistent(-1, Leaves[0], size, Leaves[1], []));
        Assert.False(MerkleProof.IsConsistent(2, Leaves[0], 1, Leaves[1], []));
    }

    private static Digest[] Flip(Digest[] proof, int bit)
    {
        var bytes = proof[bit / 256 % proof.Length].ToArray();
        bytes[bit / 8 % 32] ^= (byte)(1 << (bit % 8));
        var flipped = (Digest[])proof.Clone();
        flipped[bit / 256 % proof.Length] = new Digest(bytes);
        return flipped;
    }

    private static Digest Root(int size) => MerkleTree.Root(Leaves.AsSpan(0, size));

    private static Digest HashOf(TreeNode node) =>
        MerkleTree.Root(Leaves.AsSpan((int)(node.Index << node.Level), 1 << node.Level));
}
