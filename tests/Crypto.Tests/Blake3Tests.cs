using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

public sealed class Blake3Tests
{
    private static readonly JsonDocument Vectors = JsonDocument.Parse(
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "blake3.json")));

    [Fact]
    public void Every_vector_of_all_three_modes_is_met()
    {
        var root = Vectors.RootElement;
        var key = Encoding.ASCII.GetBytes(root.GetProperty("key").GetString()!);
        var context = root.GetProperty("context_string").GetString()!;
        var cases = root.GetProperty("cases");
        Assert.Equal(35, cases.GetArrayLength());
        foreach (var vector in cases.EnumerateArray())
        {
            var input = Pattern(vector.GetProperty("input_len").GetInt32());
            AssertOutput(vector.GetProperty("hash").GetString()!, new Blake3Hasher(), input);
            AssertOutput(vector.GetProperty("keyed_hash").GetString()!, Blake3Hasher.Keyed(key), input);
            AssertOutput(vector.GetProperty("derive_key").GetString()!, Blake3Hasher.DeriveKey(context), input);
            Assert.Equal(vector.GetProperty("hash").GetString()![..64], Blake3.Hash(input).ToString());
        }
    }

    [Fact]
    public void Any_split_gives_one_hash()
    {
        var inputs = Gen.Choose(0, 40_000).SelectMany(length =>
            Gen.Choose(1, 9_000).ListOf().Select(pieces => (length, pieces)));
        Prop.ForAll(inputs.ToArbitrary(), input =>
        {
            var bytes = Pattern(input.length);
            var hasher = new Blake3Hasher();
            var rest = bytes.AsSpan();
            foreach (var piece in input.pieces)
            {
                var take = Math.Min(piece, rest.Length);
                hasher.Update(rest[..take]);
                rest = rest[take..];
            }

            hasher.Update(rest);
            return hasher.Finish() == Blake3.Hash(bytes);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_flipped_bit_gives_another_hash()
    {
        var places = Gen.Choose(1, 5_000).SelectMany(length =>
            Gen.Choose(0, (length * 8) - 1).Select(bit => (length, bit)));
        Prop.ForAll(places.ToArbitrary(), place =>
        {
            var bytes = Pattern(place.length);
            var before = Blake3.Hash(bytes);
            bytes[place.bit / 8] ^= (byte)(1 << (place.bit % 8));
            return Blake3.Hash(bytes) != before;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Finishing_does_not_end_a_hasher()
    {
        var bytes = Pattern(10_000);
        var hasher = new Blake3Hasher();
        hasher.Update(bytes.AsSpan(0, 3_000));
        Assert.Equal(Blake3.Hash(bytes.AsSpan(0, 3_000)), hasher.Finish());
        hasher.Update(bytes.AsSpan(3_000));
        Assert.Equal(Blake3.Hash(bytes), hasher.Finish());
    }

    [Fact]
    public void A_key_of_another_length_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Blake3Hasher.Keyed(new byte[31]));
    }

    [Fact]
    public void A_small_hash_allocates_nothing()
    {
        var bytes = Pattern(3_000);
        _ = Blake3.Hash(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            _ = Blake3.Hash(bytes);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void AssertOutput(string expected, Blake3Hasher hasher, byte[] input)
    {
        hasher.Update(input);
        var output = new byte[expected.Length / 2];
        hasher.Finish(output);
        Assert.Equal(expected, Convert.ToHexStringLower(output));
    }

    private static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
        {
            bytes[i] = (byte)(i % 251);
        }

        return bytes;
    }
}
