namespace MeshLedger.Crypto.Tests;

/// <summary>The eight leaves and their roots are those of the reference implementation of Certificate Transparency
/// (merkletree/merkle_tree_test), which RFC 6962 describes.</summary>
public sealed class MerkleTreeTests
{
    private static readonly string[] Entries =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

    private static readonly string[] Roots =
    [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    [Fact]
    public void The_roots_of_the_reference_s_trees_are_met()
    {
        var leaves = Array.ConvertAll(Entries, entry => MerkleTree.LeafHash(Convert.FromHexString(entry)));
        for (var size = 0; size <= leaves.Length; size++)
        {
            Assert.Equal(Roots[size], MerkleTree.Root(leaves.AsSpan(0, size)).ToString());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_022)]
    [InlineData(1_023)]
    [InlineData(1_024)]
    [InlineData(100_000)]
    public void A_leaf_is_hashed_with_a_zero_before_it_at_every_length(int length)
    {
        var entry = Leaf(length).ToArray().Concat(new byte[length]).Take(length).ToArray();
        Assert.Equal(Digest.OfBytes([0, .. entry]), MerkleTree.LeafHash(entry));
    }

    [Fact]
    public void Every_path_of_every_tree_leads_to_its_root_and_no_other_does()
    {
        for (var size = 1; size <= 130; size++)
        {
            var leaves = Leaves(size);
            var root = MerkleTree.Root(leaves);
            var paths = MerkleTree.InclusionPaths(leaves);
            for (var index = 0; index < size; index++)
            {
                var path = paths[index];
                Assert.Equal(root, MerkleTree.RootFromPath(leaves[index], index, size, path));
                Assert.NotEqual(root, MerkleTree.RootFromPath(Leaf(1_000), index, size, path));
                for (var node = 0; node < path.Length; node++)
                {
                    var changed = (Digest[])path.Clone();
                    changed[node] = Leaf(1_000);
                    Assert.NotEqual(root, MerkleTree.RootFromPath(leaves[index], index, size, changed));
                }

                Assert.Null(MerkleTree.RootFromPath(leaves[index], index, size, [.. path, root]));
                if (path.Length > 0)
                {
                    Assert.NotEqual(root, MerkleTree.RootFromPath(leaves[index], index, size, path.AsSpan(1)));
                    Assert.Null(MerkleTree.RootFromPath(leaves[index], index, size, path.AsSpan(0, path.Length - 1)));
                }
            }
        }
    }

    [Fact]
    public void In_a_tree_of_known_size_a_leaf_has_one_index()
    {
        for (var size = 2; size <= 40; size++)
        {
            var leaves = Leaves(size);
            var root = MerkleTree.Root(leaves);
            for (var index = 0; index < size; index++)
            {
                var path = MerkleTree.InclusionPath(leaves, index);
                for (var other = 0; other < size; other++)
                {
                    Assert.Equal(other == index, MerkleTree.RootFromPath(leaves[index], other, size, path) == root);
                }
            }
        }
    }

    [Fact]
    public void A_path_alone_does_not_fix_the_size()
    {
        var leaves = Leaves(5);
        var path = MerkleTree.InclusionPath(leaves, 0);
        Assert.Equal(MerkleTree.Root(leaves), MerkleTree.RootFromPath(leaves[0], 0, 8, path));
    }

    [Theory]
    [InlineData(-1, 5)]
    [InlineData(5, 5)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(long.MaxValue, long.MaxValue)]
    public void An_index_outside_the_tree_has_no_root(long index, long size) =>
        Assert.Null(MerkleTree.RootFromPath(Leaf(0), index, size, []));

    [Fact]
    public void There_is_no_path_of_a_leaf_that_is_not_there()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.InclusionPath(Leaves(3), 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleTree.InclusionPath(Leaves(3), -1));
        Assert.Empty(MerkleTree.InclusionPaths([]));
        Assert.Empty(MerkleTree.InclusionPath(Leaves(1), 0));
    }

    private static Digest[] Leaves(int count) => [.. Enumerable.Range(0, count).Select(Leaf)];

    private static Digest Leaf(int number) => MerkleTree.LeafHash(BitConverter.GetBytes(number));
}
