using System.Text;

namespace MeshLedger.Crypto.Tests;

/// <summary>The vector is that of the DSSE specification.</summary>
public sealed class DsseEnvelopeTests
{
    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)7, 32)]);

    [Fact]
    public void What_is_signed_is_as_the_specification_shows_it() => Assert.Equal(
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
        Encoding.UTF8.GetString(DsseEnvelope.ToSign("http://example.com/HelloWorld", "hello world"u8)));

    [Fact]
    public void Lengths_are_counted_in_bytes() =>
        Assert.Equal("DSSEv1 2 é 3 €", Encoding.UTF8.GetString(DsseEnvelope.ToSign("é", "€"u8)));

    [Fact]
    public void An_envelope_is_read_as_it_was_written_and_names_its_signer()
    {
        var envelope = DsseEnvelope.Sign(DsseEnvelope.InToto, "{}"u8, Key);
        Assert.True(DsseEnvelope.TryParse(envelope.ToBytes(), out var read));
        Assert.Equal(envelope.ToBytes(), read!.ToBytes());
        Assert.Equal("{}"u8, read.Payload.Span);
        Assert.True(read.IsSignedBy(Key.Did));
        Assert.False(read.IsSignedBy(SigningKey.Generate().Did));
    }

    [Fact]
    public void Any_flipped_bit_is_refused_or_changes_a_hint_only()
    {
        var bytes = DsseEnvelope.Sign("text/plain", "hello"u8, Key).ToBytes();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            if (DsseEnvelope.TryParse(changed, out var read) && read!.IsSignedBy(Key.Did))
            {
                Assert.Equal("hello"u8, read.Payload.Span);
                Assert.NotEqual(Key.Did.ToString(), read.Signatures[0].KeyId);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"payload":"","payloadType":"a","signatures":[]}""")]
    [InlineData("""{"payload":"","payloadType":"","signatures":[{"keyid":"","sig":""}]}""")]
    [InlineData("""{"payload":"e3=","payloadType":"a","signatures":[{"keyid":"","sig":""}]}""")]
    [InlineData("""{"payload":"","payload":"","payloadType":"a","signatures":[{"keyid":"","sig":""}]}""")]
    [InlineData("""{"payload":"","payloadType":"a","signatures":[{"keyid":"","sig":"","more":1}]}""")]
    [InlineData("""{"payload":"","payloadType":"a","signatures":[{"keyid":1,"sig":""}]}""")]
    [InlineData("""{"payload":"","payloadType":"\ud800","signatures":[{"keyid":"","sig":""}]}""")]
    [InlineData("""{"payload":"","payloadType":"a","signatures":[[[[[[]]]]]]}""")]
    public void What_is_no_envelope_is_refused(string json) =>
        Assert.False(DsseEnvelope.TryParse(Encoding.UTF8.GetBytes(json), out _));
}
