using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

/// <summary>Slices and combined encodings, from whoever sends them.</summary>
public sealed class BaoSliceTests
{
    /// <summary>A length, and a range that may begin or end past it.</summary>
    private static readonly Gen<(int Length, int Offset, int Count)> Ranges =
        Gen.OneOf(Gen.Choose(0, 5_000), Gen.Choose(0, 200_000)).SelectMany(length =>
            Gen.Choose(0, length + 2_000).SelectMany(offset =>
                Gen.OneOf(Gen.Choose(0, 3_000), Gen.Choose(0, 200_000)).Select(count => (length, offset, count))));

    [Fact]
    public void Any_slice_decodes_to_exactly_its_range()
    {
        Prop.ForAll(Ranges.ToArbitrary(), range =>
        {
            var content = BaoSamples.Content(range.Length);
            var encoding = BaoSamples.Encoding(content, out var root);
            var slice = encoding.Slice(range.Offset, range.Count);
            var expected = BaoSamples.Range(content, range.Offset, range.Count);
            var stream = new MemoryStream([.. slice, 1, 2, 3]);
            return expected.AsSpan().SequenceEqual(
                    BaoSamples.ReadAll(BaoDecoder.Slice(root, stream, range.Offset, range.Count)))
                && stream.Position == slice.Length
                && expected.AsSpan().SequenceEqual(BaoSamples.ReadAll(encoding.OpenContent(range.Offset, range.Count)));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Whatever_groups_are_kept_the_slice_is_the_same()
    {
        Prop.ForAll(Ranges.ToArbitrary(), range =>
        {
            var content = BaoSamples.Content(range.Length);
            var standard = BaoSamples.Encoding(content, out var root, 0);
            var slice = standard.Slice(range.Offset, range.Count);
            var combined = BaoEncoding.Combined(root, ByteSource.Of(standard.Slice(0, long.MaxValue)));
            return slice.AsSpan().SequenceEqual(combined.Slice(range.Offset, range.Count))
                && new[] { 4, 7 }.All(groupLog => slice.AsSpan().SequenceEqual(
                    BaoSamples.Encoding(content, out _, groupLog).Slice(range.Offset, range.Count)));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_flipped_bit_of_a_slice_is_refused_and_what_came_before_is_right()
    {
        var flips = Ranges.SelectMany(range => Gen.Choose(0, int.MaxValue).Select(bit => (range, bit)));
        Prop.ForAll(flips.ToArbitrary(), flip =>
        {
            var ((length, offset, count), at) = flip;
            var content = BaoSamples.Content(length);
            var slice = BaoSamples.Encoding(content, out var root).Slice(offset, count);
            slice[at / 8 % slice.Length] ^= (byte)(1 << (at % 8));
            return RefusesAfterAPrefix(Decode(root, slice, offset, count), BaoSamples.Range(content, offset, count))
                || (at / 8 % slice.Length < 8 && IsHarmless(root, slice, content, offset, count));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_flipped_bit_of_the_length_is_refused_or_changes_nothing()
    {
        // A slice that does not reach the end does not prove the length, nor does it show it.
        var flips = Ranges.SelectMany(range => Gen.Choose(0, 63).Select(bit => (range, bit)));
        Prop.ForAll(flips.ToArbitrary(), flip =>
        {
            var ((length, offset, count), bit) = flip;
            var content = BaoSamples.Content(length);
            var slice = BaoSamples.Encoding(content, out var root).Slice(offset, count);
            slice[bit / 8] ^= (byte)(1 << (bit % 8));
            return RefusesAfterAPrefix(Decode(root, slice, offset, count), BaoSamples.Range(content, offset, count))
                || IsHarmless(root, slice, content, offset, count);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_slice_that_ends_early_is_refused_and_what_came_before_is_right()
    {
        var content = BaoSamples.Content(40_000);
        var slice = BaoSamples.Encoding(content, out var root).Slice(1_500, 20_000);
        for (var length = 0; length < slice.Length; length += length < 1_000 ? 1 : 97)
        {
            var stream = BaoDecoder.Slice(root, new MemoryStream(slice, 0, length), 1_500, 20_000);
            Assert.True(RefusesAfterAPrefix(stream, content[1_500..21_500]));
        }
    }

    [Fact]
    public void A_length_that_is_a_lie_is_never_seen()
    {
        foreach (var length in BaoSamples.Lengths.Where(length => length <= 140_000))
        {
            var content = BaoSamples.Content(length);
            var combined = BaoSamples.Encoding(content, out var root).Slice(0, long.MaxValue);
            var (most, least) = (long.MaxValue, long.MinValue);
            foreach (var claim in new[] { 0, length - 1L, length + 1L, length * 2L, 1L << 40, most, -1, least })
            {
                if (claim == length)
                {
                    continue;
                }

                var forged = combined.Concat(new byte[2_000]).ToArray();
                BinaryPrimitives.WriteInt64LittleEndian(forged, claim);
                Assert.True(RefusesAfterAPrefix(BaoDecoder.Combined(root, new MemoryStream(forged)), content));
                foreach (var offset in new[] { length, length + 1L, 1L << 50, long.MaxValue })
                {
                    var slice = BaoDecoder.Slice(root, new MemoryStream(forged), offset, long.MaxValue);
                    Assert.True(RefusesAfterAPrefix(slice, []));
                    var local = BaoEncoding.Combined(root, ByteSource.Of(forged));
                    Assert.True(RefusesAfterAPrefix(local.OpenContent(offset, 10), []));
                    Assert.Throws<BaoException>(() => BaoSamples.ReadAll(local.OpenSlice(offset, 10)));
                }
            }
        }
    }

    [Fact]
    public void The_empty_content_is_verified_too()
    {
        var encoding = BaoSamples.Encoding([], out var empty);
        var other = Blake3.Hash([1]);
        Assert.Empty(BaoSamples.ReadAll(BaoDecoder.Combined(empty, new MemoryStream(new byte[8]))));
        Assert.Throws<BaoException>(() =>
            BaoSamples.ReadAll(BaoDecoder.Combined(other, new MemoryStream(new byte[8]))));
        Assert.Throws<BaoException>(() =>
            BaoSamples.ReadAll(BaoDecoder.Outboard(other, new MemoryStream(new byte[8]), new MemoryStream())));
        Assert.Equal(new byte[8], encoding.Slice(5, 5));
        Assert.Throws<BaoException>(() => BaoSamples.ReadAll(
            BaoEncoding.Outboard(other, new BaoTree(0), ByteSource.Of(new byte[8]), ByteSource.Of(Array.Empty<byte>()))
                .OpenContent(0, 1)));
    }

    [Fact]
    public void A_hostile_length_costs_no_memory()
    {
        var combined = BaoSamples.Encoding(BaoSamples.Content(5_000), out var root).Slice(0, long.MaxValue);
        BinaryPrimitives.WriteInt64LittleEndian(combined, long.MaxValue);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(RefusesAfterAPrefix(BaoDecoder.Combined(root, new MemoryStream(combined)), []));
        Assert.True(RefusesAfterAPrefix(
            BaoDecoder.Slice(root, new MemoryStream(combined), long.MaxValue, long.MaxValue), []));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200_000);
    }

    [Fact]
    public void Damage_here_is_never_served()
    {
        var content = BaoSamples.Content(100_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        foreach (var at in new[] { 0, 20_000, 99_999 })
        {
            var bad = ByteSource.Of(BaoSamples.WithFlippedByte(content, at));
            var damaged = BaoEncoding.Outboard(root, tree, ByteSource.Of(outboard), bad);
            var group = new BaoFault(BaoPart.Content, at / tree.GroupBytes * tree.GroupBytes);
            using var slice = damaged.OpenSlice(0, long.MaxValue);
            Assert.Equal(group, Assert.Throws<BaoException>(() => slice.CopyTo(Stream.Null)).Fault);
            Assert.Equal(group, Assert.Throws<BaoException>(() => slice.CopyTo(Stream.Null)).Fault);
            var whole = at < 50_000 ? 60_000 : 10;
            Assert.Equal(content[whole..(whole + 10)], BaoSamples.ReadAll(damaged.OpenContent(whole, 10)));
        }

        var badNode = ByteSource.Of(BaoSamples.WithFlippedByte(outboard, 8));
        var noTree = BaoEncoding.Outboard(root, tree, badNode, ByteSource.Of(content));
        var fault = Assert.Throws<BaoException>(() => BaoSamples.ReadAll(noTree.OpenContent(0, 10))).Fault;
        Assert.Equal(new BaoFault(BaoPart.Nodes, 8), fault);
    }

    [Fact]
    public async Task A_slice_that_arrives_byte_by_byte_decodes()
    {
        var content = BaoSamples.Content(40_000);
        var slice = BaoSamples.Encoding(content, out var root).Slice(3_000, 30_000);
        await using var decoded = BaoDecoder.Slice(root, new Trickle(slice), 3_000, 30_000);
        using var all = new MemoryStream();
        await decoded.CopyToAsync(all);
        Assert.Equal(content[3_000..33_000], all.ToArray());
    }

    [Fact]
    public async Task A_read_that_was_cancelled_is_not_taken_up_again()
    {
        var content = BaoSamples.Content(40_000);
        var slice = BaoSamples.Encoding(content, out var root).Slice(0, long.MaxValue);
        await using var decoded = BaoDecoder.Combined(root, new MemoryStream(slice));
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var buffer = new byte[100];
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            decoded.ReadAsync(buffer, cancelled.Token).AsTask());
        await Assert.ThrowsAsync<IOException>(() => decoded.ReadAsync(buffer).AsTask());
    }

    [Fact]
    public void A_negative_range_is_refused()
    {
        var encoding = BaoSamples.Encoding([1], out var root);
        Assert.Throws<ArgumentOutOfRangeException>(() => encoding.OpenSlice(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => encoding.OpenContent(0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => BaoDecoder.Slice(root, Stream.Null, 0, -1));
    }

    private static Stream Decode(BlobHash root, byte[] slice, long offset, long count) =>
        BaoDecoder.Slice(root, new MemoryStream(slice), offset, count);

    /// <summary>True if the slice, whose length was changed, is of less than the last chunk and decodes all the
    /// same.</summary>
    private static bool IsHarmless(BlobHash root, byte[] slice, byte[] content, int offset, int count) =>
        Math.Max(1, count) + offset <= (content.Length - 1) / 1024 * 1024
        && BaoSamples.ReadAll(Decode(root, slice, offset, count)).AsSpan()
            .SequenceEqual(BaoSamples.Range(content, offset, count));

    /// <summary>True if reading ends in a refusal, and all that was handed out before is how the content
    /// begins.</summary>
    private static bool RefusesAfterAPrefix(Stream stream, byte[] content)
    {
        var handedOut = 0;
        var buffer = new byte[700];
        try
        {
            while (true)
            {
                var read = stream.Read(buffer);
                if (read == 0 || !content.AsSpan(handedOut).StartsWith(buffer.AsSpan(0, read)))
                {
                    return false;
                }

                handedOut += read;
            }
        }
        catch (BaoException)
        {
            return handedOut <= content.Length;
        }
    }

    private sealed class Trickle(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(1, buffer.Length)], cancellationToken);
    }
}
