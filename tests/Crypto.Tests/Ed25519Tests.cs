using System.Numerics;

namespace MeshLedger.Crypto.Tests;

public sealed class Ed25519Tests
{
    /// <summary>RFC 8032, section 7.1, tests 1 to 3.</summary>
    [Theory]
    [InlineData(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")]
    [InlineData(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")]
    [InlineData(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")]
    public void The_rfc_s_vectors_are_met(string seed, string publicKey, string message, string signature)
    {
        var key = SigningKey.FromSeed(Convert.FromHexString(seed));
        Assert.Equal(new Did(Convert.FromHexString(publicKey)), key.Did);
        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(Convert.FromHexString(message))));
        Assert.True(Ed25519.Verify(key.Did, Convert.FromHexString(message), Convert.FromHexString(signature)));
    }

    [Fact]
    public void Any_flipped_bit_fails()
    {
        var key = SigningKey.FromSeed(new byte[32]);
        var message = "meshledger"u8.ToArray();
        var signature = key.Sign(message);
        var publicKey = new byte[32];
        key.Did.CopyKeyTo(publicKey);
        foreach (var bytes in new[] { message, signature, publicKey })
        {
            for (var bit = 0; bit < bytes.Length * 8; bit++)
            {
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.False(Ed25519.Verify(new Did(publicKey), message, signature));
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Assert.True(Ed25519.Verify(new Did(publicKey), message, signature));
    }

    [Fact]
    public void Another_length_or_no_key_fails()
    {
        var key = SigningKey.FromSeed(new byte[32]);
        var signature = key.Sign([]);
        Assert.False(Ed25519.Verify(key.Did, [], []));
        Assert.False(Ed25519.Verify(key.Did, [], signature.AsSpan(0, 63)));
        Assert.False(Ed25519.Verify(key.Did, [], [.. signature, 0]));
        Assert.False(Ed25519.Verify(default, [], signature));
        Assert.False(Ed25519.Verify(SigningKey.Generate().Did, [], signature));
    }

    /// <summary>Points of order 1, 2, 4 and 8, and one that is no point: with them one signature fits any message.
    /// </summary>
    [Theory]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")]
    public void A_key_of_small_order_signs_nothing(string publicKey)
    {
        var did = new Did(Convert.FromHexString(publicKey));
        foreach (var first in new[] { publicKey, "01" + new string('0', 62) })
        {
            var signature = Convert.FromHexString(first + new string('0', 64));
            for (byte message = 0; message < 16; message++)
            {
                Assert.False(Ed25519.Verify(did, [message], signature));
            }
        }
    }

    [Fact]
    public void A_signature_has_one_spelling()
    {
        var key = SigningKey.FromSeed(new byte[32]);
        var signature = key.Sign([1]);
        var order = BigInteger.Pow(2, 252) + BigInteger.Parse(
            "27742317777372353535851937790883648493", System.Globalization.CultureInfo.InvariantCulture);
        var scalar = new BigInteger(signature.AsSpan(32), isUnsigned: true) + order;
        scalar.ToByteArray(isUnsigned: true).CopyTo(signature.AsSpan(32));
        Assert.False(Ed25519.Verify(key.Did, [1], signature));
    }
}
