using System.Text;

namespace MeshLedger.Crypto.Tests;

/// <summary>Tiles, tree heads and proof files.</summary>
public sealed class LogTileTests
{
    [Theory]
    [InlineData(0, 1_234_067, 256, "tile/0/x001/x234/067")]
    [InlineData(0, 0, 1, "tile/0/000.p/1")]
    [InlineData(3, 999, 255, "tile/3/999.p/255")]
    [InlineData(LogTile.Entries, 1000, 256, "tile/entries/x001/000")]
    public void A_tile_s_path_is_the_specification_s(int level, long index, int width, string path)
    {
        var tile = new LogTile(level, index, width);
        Assert.Equal(path, tile.Path);
        Assert.True(LogTile.TryParse(path, out var read));
        Assert.Equal(tile, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tile/")]
    [InlineData("tile/0")]
    [InlineData("tile/0/")]
    [InlineData("tile/8/000")]
    [InlineData("tile/00/000")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/001/001")]
    [InlineData("tile/0/xx01/001")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/0/../000")]
    [InlineData("tile/entries/../../keys/log.key")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/999")]
    public void What_is_no_tile_s_path_is_refused(string path) => Assert.False(LogTile.TryParse(path, out _));

    [Fact]
    public void A_node_is_found_in_its_tile()
    {
        Digest[] leaves = [.. Enumerable.Range(0, 700).Select(i => MerkleTree.LeafHash(BitConverter.GetBytes(i)))];
        var size = leaves.Length;
        foreach (var node in Enumerable.Range(0, size).SelectMany(i => MerkleProof.Inclusion(i, size).Needed).Distinct())
        {
            var tile = LogTile.Of(node, size);
            var hashes = tile.Level == 0
                ? leaves[(int)(tile.Index * 256)..((int)(tile.Index * 256) + tile.Width)]
                : [.. leaves.Chunk(256).Take(tile.Width).Select(chunk => MerkleTree.Root(chunk))];
            var expected = MerkleTree.Root(leaves.AsSpan((int)(node.Index << node.Level), 1 << node.Level));
            Assert.Equal(expected, LogTile.HashOf(node, hashes));
        }
    }
}

public sealed class TreeHeadTests
{
    private const string Text = "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    [Fact]
    public void A_head_is_read_and_written_as_the_specification_s_example()
    {
        Assert.True(TreeHead.TryParse(Text, out var head));
        Assert.Equal(("example.com/log", 20_852_163L), (head.Origin, head.Size));
        Assert.Equal(Text, head.Text);
        Assert.True(TreeHead.TryParse(Text + "an extension\n", out var extended));
        Assert.Equal(head, extended);
    }

    [Theory]
    [InlineData("")]
    [InlineData("example.com/log\n1\n")]
    [InlineData("example.com/log\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("example.com/log\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("example.com/log\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n")]
    [InlineData("example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")]
    [InlineData("\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    public void What_is_no_head_is_refused(string text) => Assert.False(TreeHead.TryParse(text, out _));
}

public sealed class LogProofTests
{
    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)9, 32)]);
    private static readonly NoteKey Name = new("log.example/one", NoteKeyType.Signature, Key.Did);
    private static readonly byte[][] Logged = [.. Enumerable.Range(0, 11).Select(i => Encoding.ASCII.GetBytes($"entry {i}"))];

    [Fact]
    public void A_proof_is_read_as_it_was_written_and_proves_its_entry_alone()
    {
        var proof = Make(6, withExtra: true);
        Assert.True(LogProof.TryParse(proof.ToBytes(), out var read, out _));
        Assert.Equal(proof.ToBytes(), read!.ToBytes());
        Assert.True(read.Includes(Logged[6]));
        Assert.False(read.Includes(Logged[7]));
        Assert.Equal(Logged[6], read.Extra);
        Assert.True(LogProof.TryParse(Make(6, withExtra: false).ToBytes(), out var bare, out _));
        Assert.Null(bare!.Extra);
        Assert.StartsWith("c2sp.org/tlog-proof@v1\nindex 6\n", Encoding.UTF8.GetString(bare.ToBytes()), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_flipped_bit_of_a_proof_file_is_refused()
    {
        var bytes = Make(6, withExtra: true).ToBytes();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(
                LogProof.TryParse(changed, out var read, out _) && read!.Extra is { } entry && read.Includes(entry)
                    && read.Head.TryVerify([Name], out _),
                $"bit {bit}");
        }
    }

    [Fact]
    public void A_file_that_was_cut_is_refused_with_what_was_expected()
    {
        var bytes = Make(6, withExtra: true).ToBytes();
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(LogProof.TryParse(bytes.AsSpan(0, length), out _, out var fault));
            Assert.NotEmpty(fault);
        }

        Assert.False(LogProof.TryParse(new byte[LogProof.MaxBytes + 1], out _, out _));
    }

    private static LogProof Make(int index, bool withExtra)
    {
        var leaves = Array.ConvertAll(Logged, entry => MerkleTree.LeafHash(entry));
        var head = new TreeHead(Name.Name, leaves.Length, MerkleTree.Root(leaves));
        return new LogProof(
            withExtra ? Logged[index] : null, index, MerkleTree.InclusionPath(leaves, index),
            SignedNote.Sign(head.Text, Name, Key));
    }
}
