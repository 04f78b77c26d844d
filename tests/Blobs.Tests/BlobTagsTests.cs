using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

public sealed class BlobTagsTests : IDisposable
{
    private readonly StoreDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_tag_stands_for_one_blob_and_a_blob_may_have_many()
    {
        var blobs = _directory.Open();
        var one = await blobs.AddBytesAsync("one"u8.ToArray(), CancellationToken.None);
        var two = await blobs.AddBytesAsync("two"u8.ToArray(), CancellationToken.None);
        blobs.Tags.Protect(one, BlobTag.Parse("b"));
        blobs.Tags.Protect(one, BlobTag.Parse("a"));
        blobs.Tags.Protect(two, BlobTag.Parse("b"));
        Assert.Equal(
            [("a", one), ("b", two)], _directory.Open().Tags.List().Select(found => (found.Tag.ToString(), found.Hash)));
        Assert.Equal(two, blobs.Tags.Find(BlobTag.Parse("b")));
        Assert.Null(blobs.Tags.Find(BlobTag.Parse("c")));
        Assert.Throws<BlobNotFoundException>(() => blobs.Tags.Protect(Blake3.Hash("no"u8), BlobTag.Parse("c")));
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("/etc/passwd")]
    [InlineData("a.b-c_d:e@f+g")]
    public async Task A_name_is_never_a_path(string name)
    {
        var blobs = _directory.Open();
        var hash = await blobs.AddBytesAsync("one"u8.ToArray(), CancellationToken.None);
        blobs.Tags.Protect(hash, BlobTag.Parse(name));
        Assert.Equal(hash, blobs.Tags.Find(BlobTag.Parse(name)));
        Assert.Matches("^tags/[0-9a-f]{64}\\.json$", _directory.Files().Single(file => file.StartsWith("tags", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("a b")]
    [InlineData("a\0b")]
    [InlineData("ä")]
    [InlineData("a\"b")]
    public void What_is_no_name_is_refused(string? name)
    {
        Assert.False(BlobTag.TryParse(name, out _));
        Assert.Throws<FormatException>(() => BlobTag.Parse(name!));
        Assert.False(BlobTag.TryParse(new string('x', 129), out _));
    }
}
