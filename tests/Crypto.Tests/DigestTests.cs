namespace MeshLedger.Crypto.Tests;

public sealed class DigestTests
{
    private const string Empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Fact]
    public void A_digest_is_written_as_it_is_read()
    {
        Assert.Equal(Empty, Digest.OfBytes([]).ToString());
        Assert.Equal(Digest.OfBytes([]), Digest.Parse(Empty));
        Assert.Equal(Convert.FromHexString(Empty), Digest.Parse(Empty).ToArray());
        Assert.Equal(Digest.Parse(Empty), new Digest(Convert.FromHexString(Empty)));
        Assert.Equal(Empty, BlobHash.Parse(Empty).ToString());
        Assert.Equal(BlobHash.Parse(Empty), new BlobHash(Convert.FromHexString(Empty)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("e3b0c442")]
    [InlineData("E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555")]
    [InlineData(" e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85")]
    [InlineData("0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8")]
    [InlineData("../../../../../../../../../../../../../../../../../../etc/passwd")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85\u0661")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    public void Any_other_text_is_refused(string text)
    {
        Assert.False(Digest.TryParse(text, out var digest));
        Assert.True(digest.IsDefault);
        Assert.Throws<FormatException>(() => Digest.Parse(text));
        Assert.False(BlobHash.TryParse(text, out var hash));
        Assert.True(hash.IsDefault);
        Assert.Throws<FormatException>(() => BlobHash.Parse(text));
    }

    [Fact]
    public void Another_number_of_bytes_is_refused()
    {
        Assert.Throws<FormatException>(() => new Digest(new byte[31]));
        Assert.Throws<FormatException>(() => new BlobHash(new byte[33]));
    }

    [Fact]
    public void Digests_are_ordered_as_their_texts_are()
    {
        var digests = Enumerable.Range(0, 200).Select(i => Digest.OfBytes([(byte)i])).ToList();
        Assert.Equal(
            digests.Select(digest => digest.ToString()).Order(StringComparer.Ordinal),
            digests.Order().Select(digest => digest.ToString()));
        Assert.True(digests.Min() < digests.Max() && digests.Max() >= digests.Min() && digests[0] <= digests[0]);
        Assert.False(digests.Min() > digests.Max());
    }
}
