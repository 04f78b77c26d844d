using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

public sealed class Blake3Tests
{
    private static readonly JsonDocument Vectors = JsonDocument.Parse(
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "blake3.json")));

    /// <summary>Every way to compute it that this machine has. The last is the one that production takes.</summary>
    public static TheoryData<int> Degrees =>
        [.. Enum.GetValues<Blake3Degree>().Where(degree => degree <= Blake3Core.Best).Select(degree => (int)degree)];

    [Theory]
    [MemberData(nameof(Degrees))]
    public void Every_vector_of_all_three_modes_is_met(int degree)
    {
        var by = (Blake3Degree)degree;
        var root = Vectors.RootElement;
        var key = Encoding.ASCII.GetBytes(root.GetProperty("key").GetString()!);
        var context = root.GetProperty("context_string").GetString()!;
        var cases = root.GetProperty("cases");
        Assert.Equal(35, cases.GetArrayLength());
        foreach (var vector in cases.EnumerateArray())
        {
            var input = Pattern(vector.GetProperty("input_len").GetInt32());
            AssertOutput(vector.GetProperty("hash").GetString()!, new Blake3Hasher(Blake3Mode.PlainBy(by)), input);
            AssertOutput(vector.GetProperty("keyed_hash").GetString()!, Blake3Hasher.Keyed(key, by), input);
            AssertOutput(vector.GetProperty("derive_key").GetString()!, Blake3Hasher.DeriveKey(context, by), input);
            var value = new byte[32];
            Blake3Tree.Value(Blake3Mode.PlainBy(by), input, 0, true).CopyTo(value);
            Assert.Equal(vector.GetProperty("hash").GetString()![..64], Convert.ToHexStringLower(value));
            Assert.Equal(new BlobHash(value), Blake3.Hash(input));
        }
    }

    [Theory]
    [MemberData(nameof(Degrees))]
    public void Every_way_gives_one_hash_also_past_a_counter_of_32_bits(int degree)
    {
        var (by, portable) = (Blake3Mode.PlainBy((Blake3Degree)degree), Blake3Mode.PlainBy(Blake3Degree.Portable));
        foreach (var length in BaoSamples.Lengths)
        {
            var input = Pattern(length);
            foreach (var chunk in new ulong[] { 0, uint.MaxValue - 7, 1UL << 40 })
            {
                Assert.Equal(
                    Blake3Tree.Value(portable, input, chunk, false), Blake3Tree.Value(by, input, chunk, false));
                Assert.Equal(
                    Blake3Tree.Value(portable, input, chunk, false), Blake3Tree.ParallelValue(by, input, chunk, false));
            }
        }
    }

    [Fact]
    public void Output_from_any_position_is_part_of_the_whole_output()
    {
        var whole = new byte[1_000];
        var hasher = new Blake3Hasher();
        hasher.Update(Pattern(5_000));
        hasher.Finish(whole);
        for (var position = 0; position < 200; position++)
        {
            var part = new byte[300 - position];
            hasher.Finish(part, (ulong)position);
            Assert.Equal(whole[position..300], part);
        }

        var far = new byte[128];
        hasher.Finish(far, ulong.MaxValue - 200);
        Assert.NotEqual(new byte[128], far);
    }

    [Fact]
    public void Any_split_gives_one_hash()
    {
        var inputs = Gen.OneOf(Gen.Choose(0, 40_000), Gen.Choose(0, 2_000_000)).SelectMany(length =>
            Gen.OneOf(Gen.Choose(1, 9_000), Gen.Choose(1, 900_000), Gen.Choose(1, 900).Select(kib => kib * 1024))
                .ListOf().Select(pieces => (length, pieces)));
        Prop.ForAll(inputs.ToArbitrary(), input =>
        {
            var bytes = Pattern(input.length);
            var hasher = new Blake3Hasher();
            var rest = bytes.AsSpan();
            foreach (var piece in input.pieces)
            {
                var take = Math.Min(piece, rest.Length);
                if (piece % 2 == 0)
                {
                    hasher.Update(rest[..take]);
                }
                else
                {
                    hasher.UpdateParallel(rest[..take]);
                }

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

    [Theory]
    [InlineData(64)]
    [InlineData(1_024)]
    [InlineData(3_000)]
    [InlineData(1_000_000)]
    public void A_hash_allocates_nothing(int length)
    {
        var bytes = Pattern(length);
        _ = Blake3.Hash(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            _ = Blake3.Hash(bytes);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_048_576)]
    [InlineData(2_097_152)]
    [InlineData(2_097_153)]
    [InlineData(4_194_304)]
    [InlineData(9_000_001)]
    public async Task Files_and_streams_have_the_hash_of_their_bytes(int length)
    {
        var bytes = Pattern(length);
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, bytes);
            using var file = File.OpenHandle(path);
            Assert.Equal(Blake3.Hash(bytes), Blake3.HashParallel(bytes));
            Assert.Equal(Blake3.Hash(bytes), Blake3.Hash(file, parallel: false));
            Assert.Equal(Blake3.Hash(bytes), Blake3.Hash(file, parallel: true));
            await using var stream = new MemoryStream(bytes);
            Assert.Equal(Blake3.Hash(bytes), await Blake3.HashAsync(stream, CancellationToken.None));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_cancelled_hash_of_a_stream_is_none()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await using var stream = new MemoryStream(Pattern(10_000));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Blake3.HashAsync(stream, cancelled.Token));
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
