using System.Diagnostics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Blobs.Http;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>Signed as RFC 9421, section 2.5, says, by the test's own hand.</summary>
internal static class SignatureSamples
{
    public static string Sign(SigningKey key, string input, BlobHash hash)
    {
        var parameters = input[(input.IndexOf('=', StringComparison.Ordinal) + 1)..];
        var names = parameters[1..parameters.IndexOf(')', StringComparison.Ordinal)].Split(' ');
        var lines = names.Select(name => $"{name}: " + name switch
        {
            "\"@method\"" => "PUT",
            "\"@path\"" => "/v1/blobs",
            "\"blob-hash\"" => hash.ToString(),
            _ => "",
        });
        var text = string.Join('\n', lines.Append($"\"@signature-params\": {parameters}"));
        return $"blob=:{Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(text)))}:";
    }
}

public sealed class MessageSignatureTests
{
    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly BlobHash Name = Blake3.Hash("content"u8);
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    /// <summary>RFC 9421, section B.2.6, with the request of B.2 and the key of B.1.4.</summary>
    private static readonly Dictionary<string, string> Example = new()
    {
        ["date"] = "Tue, 20 Apr 2021 02:07:55 GMT",
        ["@method"] = "POST",
        ["@path"] = "/foo",
        ["@authority"] = "example.com",
        ["content-type"] = "application/json",
        ["content-length"] = "18",
    };

    private const string ExampleInput = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "
        + "\"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";

    private const string ExampleSignature =
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";

    private static readonly DateTimeOffset ExampleTime = DateTimeOffset.FromUnixTimeSeconds(1618884473);
    private static readonly Did ExampleKey = new(Convert.FromBase64String("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="));

    [Fact]
    public void The_example_of_the_specification_verifies()
    {
        var (signer, fault) = VerifyExample(ExampleInput, ExampleSignature, Example, ExampleTime);
        Assert.Null(fault);
        Assert.Equal(ExampleKey, signer);
        Assert.NotNull(VerifyExample(ExampleInput, ExampleSignature, Example, ExampleTime.AddMinutes(6)).Fault);
    }

    [Fact]
    public void Any_byte_changed_in_the_example_is_refused()
    {
        var changes = Gen.Choose(0, 1_000_000).SelectMany(at => Gen.Choose(' ', '~').Select(to => (at, to: (char)to)));
        Prop.ForAll(changes.ToArbitrary(), change =>
        {
            // The covered values and the two headers, one after the other.
            string[] texts = [ExampleInput, ExampleSignature, .. Example.Values];
            var at = change.at % texts.Sum(text => text.Length);
            var which = 0;
            for (; at >= texts[which].Length; which++)
            {
                at -= texts[which].Length;
            }

            var changed = texts[which].ToCharArray();
            var isSame = changed[at] == change.to;
            changed[at] = change.to;
            texts[which] = new string(changed);
            var values = Example.Keys.Zip(texts[2..]).ToDictionary(pair => pair.First, pair => pair.Second);
            return isSame || VerifyExample(texts[0], texts[1], values, ExampleTime).Signer is null;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3_000));
    }

    [Fact]
    public void What_was_signed_here_verifies_here_and_nothing_else_does()
    {
        Prop.ForAll<int, int>((seed, at) =>
        {
            var key = SigningKey.FromSeed(Convert.FromHexString(Blake3.Hash(BitConverter.GetBytes(seed)).ToString()));
            var (input, signature) = MessageSignature.Sign(key, "/v1/blobs", Name, Now);
            var text = (input + "|" + signature).ToCharArray();
            var position = (int)((uint)at % text.Length);
            text[position] ^= (char)1;
            var changed = new string(text).Split('|', 2);
            return Verify(input, signature).Signer == key.Did && signature == SignatureSamples.Sign(key, input, Name)
                && (changed.Length == 1 || Verify(changed[0], changed[1]).Signer is null);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    /// <summary>Two signatures of 64 bytes have one base64 each, though decoders take others.</summary>
    [Fact]
    public void A_signature_has_one_spelling()
    {
        var (input, signature) = MessageSignature.Sign(Key, "/v1/blobs", Name, Now);
        Assert.EndsWith("==:", signature, StringComparison.Ordinal);
        const string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        var last = digits.IndexOf(signature[^4], StringComparison.Ordinal);
        for (var i = 1; i < 16; i++)
        {
            Assert.Null(Verify(input, signature[..^4] + digits[last ^ i] + "==:").Signer);
        }
    }

    [Theory]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=1795262400;keyid=\"did:key:z\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=999999999999999;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=-1;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=\"1795262400\";keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\"  \"@path\" \"blob-hash\");created=1795262400;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\";sf);created=1795262400;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" (\"blob-hash\"));created=1795262400;keyid=\"KEY\"")]
    [InlineData("blob=((((((((((((((((((((((((((((((((((((((((((((((((((((")]
    [InlineData("blob=(\"@method\" \"@path\" \"Blob-Hash\");created=1795262400;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\" \"@query-param\");created=1795262400;keyid=\"KEY\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=1795262400;keyid=\"KEY\", other=()")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=1795262400;keyid=\"KEY\"\n")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=1795262400;keyid=\"KEY\";nonce=\"\u0001\"")]
    [InlineData("blob=(\"@method\" \"@path\" \"blob-hash\");created=1795262400;keyid=\"KEY\";nonce=\"é\"")]
    [InlineData("\0")]
    [InlineData("")]
    [InlineData("=")]
    public void What_is_no_signature_input_is_refused_though_it_was_signed(string input)
    {
        input = input.Replace("KEY", Key.Did.ToString(), StringComparison.Ordinal);
        var signature = input.Contains(')', StringComparison.Ordinal) ? SignatureSamples.Sign(Key, input, Name) : "blob=:AAAA:";
        var (signer, fault) = Verify(input, signature);
        Assert.Null(signer);
        Assert.NotEmpty(fault!);
    }

    [Fact]
    public void Parameters_that_are_not_known_are_signed_like_the_others()
    {
        var (input, _) = MessageSignature.Sign(Key, "/v1/blobs", Name, Now);
        foreach (var more in (string[])[";nonce=\"abc\"", ";tag=\"x\"", $";expires={Now.ToUnixTimeSeconds() + 1}"])
        {
            var signature = SignatureSamples.Sign(Key, input + more, Name);
            Assert.Equal(Key.Did, Verify(input + more, signature).Signer);
            Assert.Null(Verify(input, signature).Signer);
        }
    }

    [Fact]
    public void Hostile_headers_cost_nothing()
    {
        var (input, signature) = MessageSignature.Sign(Key, "/v1/blobs", Name, Now);
        string[] hostile =
        [
            new('(', 4_096), new('"', 4_096), new('a', 4_096), new(';', 4_096), new('=', 4_096), new('(', 10_000_000),
            "blob=(" + string.Concat(Enumerable.Repeat("\"a\" ", 1_000)),
            "blob=(\"a\")" + string.Concat(Enumerable.Repeat(";a=1", 1_000)) + "!",
            "blob=(\"a\");x=\"" + new string('a', 4_000),
            string.Concat(Enumerable.Repeat(input + ",", 20)), new('\0', 4_096), new('\u0661', 4_096),
        ];
        var clock = Stopwatch.StartNew();
        foreach (var one in hostile)
        {
            Assert.Null(Verify(one, signature).Signer);
            Assert.Null(Verify(input, one).Signer);
        }

        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }

    private static (Did? Signer, string? Fault) Verify(string input, string signature) => MessageSignature.Verify(
        input, signature, name => name switch
        {
            "@method" => "PUT",
            "@path" => "/v1/blobs",
            "blob-hash" => Name.ToString(),
            _ => null,
        }, MessageSignature.Required, Now);

    private static (Did? Signer, string? Fault) VerifyExample(
        string input, string signature, Dictionary<string, string> values, DateTimeOffset now) => MessageSignature.Verify(
        input, signature, name => values.GetValueOrDefault(name), [],
        id => id == "test-key-ed25519" ? ExampleKey : null, now);
}
