using SimpleBase;

namespace MeshLedger.Crypto.Tests;

public sealed class DidTests
{
    /// <summary>Seeds and names from the test vectors of the did:key method (W3C CCG, ed25519-x25519.json).</summary>
    [Theory]
    [InlineData(0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp")]
    [InlineData(1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG")]
    [InlineData(2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf")]
    public void The_method_s_own_vectors_are_met(byte last, string name)
    {
        var seed = new byte[32];
        seed[31] = last;
        var did = SigningKey.FromSeed(seed).Did;
        Assert.Equal(name, did.ToString());
        Assert.Equal(did, Did.Parse(name));
        Assert.Equal(56, name.Length);
    }

    [Fact]
    public void Every_key_is_read_back()
    {
        var random = new Random(1);
        var key = new byte[32];
        for (var i = 0; i < 2_000; i++)
        {
            random.NextBytes(key);
            key.AsSpan(0, random.Next(4)).Clear();
            var did = new Did(key);
            Assert.True(Did.TryParse(did.ToString(), out var read));
            Assert.Equal(did, read);
            Assert.Equal(did.GetHashCode(), read.GetHashCode());
            var bytes = new byte[32];
            read.CopyKeyTo(bytes);
            Assert.Equal(key, bytes);
        }
    }

    [Fact]
    public void Another_codec_or_length_is_refused()
    {
        var key = new byte[32];
        Array.Fill(key, (byte)7);
        Refused(Encoded([0xEC, 0x01, .. key]));
        Refused(Encoded([0xED, 0x02, .. key]));
        Refused(Encoded([0x12, 0x00, .. key]));
        Refused(Encoded([0xED, 0x01, .. key, 7]));
        Refused(Encoded([0xED, 0x01, .. key[1..]]));
        Refused(Encoded([0, 0xED, 0x01, .. key[1..]]));
        Assert.True(Did.TryParse(Encoded([0xED, 0x01, .. key]), out _));
    }

    [Fact]
    public void Any_other_spelling_is_refused()
    {
        var name = SigningKey.FromSeed(new byte[32]).Did.ToString();
        string[] others =
        [
            "", "did:key:", "did:key:z", name[..^1], name + "1", " " + name, name + " ", name + "\n", name.ToUpperInvariant(),
            name.Replace("did:key:z", "did:key:m", StringComparison.Ordinal),
            name.Replace("did:key:z", "did:web:z", StringComparison.Ordinal),
            name.Replace("did:key:z", "DID:key:z", StringComparison.Ordinal),
            name.Replace("did:key:z", "did:key:z1", StringComparison.Ordinal), name + "#" + name[8..], name[8..],
            name[..^1] + "0", name[..^1] + "O", name[..^1] + "I", name[..^1] + "l", name[..^1] + "\0",
        ];
        Assert.All(others, Refused);
    }

    [Fact]
    public void No_character_whatever_is_anything_but_refused()
    {
        var name = SigningKey.FromSeed(new byte[32]).Did.ToString();
        for (var letter = 0; letter <= char.MaxValue; letter++)
        {
            var text = $"{name[..20]}{(char)letter}{name[21..]}";
            Assert.Equal(text == name || Did.TryParse(text, out var did) && did.ToString() == text, Did.TryParse(text, out _));
        }

        Refused(string.Concat("did:key:z6Mk", new string('\u00e9', 44)));
    }

    [Fact]
    public void The_default_names_no_key()
    {
        Assert.True(default(Did).IsDefault);
        Assert.Equal("(no key)", default(Did).ToString());
        Assert.False(Did.TryParse("(no key)", out _));
        Assert.Throws<FormatException>(() => new Did(new byte[31]));
    }

    private static string Encoded(byte[] bytes) => "did:key:z" + Base58.Bitcoin.Encode(bytes);

    private static void Refused(string text)
    {
        Assert.False(Did.TryParse(text, out var did));
        Assert.True(did.IsDefault);
        Assert.Throws<FormatException>(() => Did.Parse(text));
    }
}
