using System.Collections.Immutable;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

public sealed class BlobStoreTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly StoreDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(16_384, false)]
    [InlineData(16_385, true)]
    [InlineData(300_000, true)]
    [InlineData(3_000_000, true)]
    public async Task What_was_added_comes_back_to_the_byte(int length, bool hasOutboard)
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(length);

        var hash = await blobs.AddBytesAsync(content, None);

        Assert.Equal(Blake3.Hash(content), hash);
        Assert.True(blobs.Has(hash));
        Assert.Equal(length, blobs.SizeOf(hash));
        Assert.Equal(content, await blobs.ReadAsync(hash, None));
        var copy = new MemoryStream();
        await blobs.CopyToAsync(hash, copy, None);
        Assert.Equal(content, copy.ToArray());
        Assert.Equal(content, await File.ReadAllBytesAsync(_directory.FileOf(hash)));
        Assert.Equal(hasOutboard, File.Exists(_directory.FileOf(hash, ".obao")));
        Assert.Equal(hasOutboard ? 2 : 1, _directory.Files().Length);
    }

    [Fact]
    public async Task Any_range_reads_as_the_content_has_it()
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(1_000_003);
        var hash = await blobs.AddBytesAsync(content, None);
        using var stream = blobs.OpenRead(hash);
        var random = new Random(7);
        var buffer = new byte[400_000];
        for (var i = 0; i < 300; i++)
        {
            stream.Position = random.Next(1_000_003);
            var at = (int)stream.Position;
            var wanted = random.Next(1, buffer.Length);
            var count = stream.ReadAtLeast(buffer.AsSpan(0, wanted), wanted, throwOnEndOfStream: false);
            Assert.Equal(Math.Min(wanted, content.Length - at), count);
            Assert.True(buffer.AsSpan(0, count).SequenceEqual(content.AsSpan(at, count)));
        }

        stream.Position = 2_000_000;
        Assert.Equal(0, stream.Read(buffer));
    }

    [Fact]
    public async Task Ten_writers_of_one_content_leave_one_blob_and_one_of_them_was_first()
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(500_000);

        var added = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(async () =>
        {
            using var stream = new MemoryStream(content);
            var one = await blobs.AddAsync(stream, BlobAddition.Plain, None);
            Assert.Equal(content, await blobs.ReadAsync(one.Hash, None));
            return one;
        })));

        Assert.Single(added.Select(one => one.Hash).Distinct());
        Assert.Single(added, one => one.WasNew);
        Assert.Equal(2, _directory.Files().Length);
    }

    [Fact]
    public async Task A_flipped_bit_on_disk_is_told_with_its_place_and_adding_again_heals_it()
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(100_000);
        var hash = await blobs.AddBytesAsync(content, None);
        StoreDirectory.Flip(_directory.FileOf(hash), 54_321);

        var destination = new MemoryStream();
        var damaged = await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.CopyToAsync(hash, destination, None));

        Assert.Equal(54_321 / 16_384 * 16_384, damaged.Offset);
        Assert.Contains(hash.ToString(), damaged.Message, StringComparison.Ordinal);
        Assert.Contains("byte 49152", damaged.Message, StringComparison.Ordinal);
        Assert.Equal(content[..49_152], destination.ToArray());
        Assert.False(blobs.Has(hash));
        Assert.Equal(BlobState.Quarantined, blobs.Find(hash)!.State);
        Assert.Throws<BlobNotFoundException>(() => blobs.OpenRead(hash));

        await blobs.AddBytesAsync(content, None);
        Assert.Equal(content, await blobs.ReadAsync(hash, None));
        Assert.Equal(BlobState.Complete, blobs.Find(hash)!.State);
        Assert.Equal(2, _directory.Files().Length);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(20_000, 16_384)]
    [InlineData(99_999, 98_304)]
    [InlineData(100_001, 100_000)]
    public async Task A_blob_of_another_length_than_it_had_is_damaged(int length, long offset)
    {
        var blobs = _directory.Open();
        var hash = await blobs.AddBytesAsync(StoreDirectory.Content(100_000), None);
        using (var file = new FileStream(_directory.FileOf(hash), FileMode.Open))
        {
            file.SetLength(length);
        }

        var damaged = await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.ReadAsync(hash, None));
        Assert.Equal(offset, damaged.Offset);
        Assert.Equal(BlobState.Quarantined, blobs.Find(hash)!.State);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(200)]
    [InlineData(-1)]
    public async Task An_outboard_that_is_damaged_or_gone_is_made_anew(int flip)
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(100_000);
        var hash = await blobs.AddBytesAsync(content, None);
        var outboard = _directory.FileOf(hash, ".obao");
        var right = await File.ReadAllBytesAsync(outboard);
        if (flip < 0)
        {
            File.Delete(outboard);
        }
        else
        {
            StoreDirectory.Flip(outboard, flip);
        }

        Assert.Equal(content, await blobs.ReadAsync(hash, None));
        Assert.Equal(right, await File.ReadAllBytesAsync(outboard));
        Assert.Equal(2, _directory.Files().Length);
    }

    [Fact]
    public async Task A_stream_that_is_too_long_is_cut_off_and_leaves_nothing()
    {
        var blobs = _directory.Open(options => options.MaxBlobBytes = 1_000_000);
        var endless = new EndlessStream();

        var refused = await Assert.ThrowsAsync<BlobTooLargeException>(() => blobs.AddAsync(endless, BlobAddition.Plain, None));

        Assert.Contains("1000000", refused.Message, StringComparison.Ordinal);
        Assert.InRange(endless.Given, 1_000_001, 1 << 20);
        Assert.Empty(_directory.Files());
        var exact = await blobs.AddBytesAsync(StoreDirectory.Content(1_000_000), None);
        Assert.True(blobs.Has(exact));
    }

    [Fact]
    public async Task What_is_not_as_promised_leaves_nothing()
    {
        var blobs = _directory.Open();
        var content = StoreDirectory.Content(5_000);
        BlobAddition[] promises =
        [
            new() { Size = 4_999 }, new() { Size = 5_001 }, new() { Hash = Blake3.Hash("other"u8) },
            new() { Size = long.MaxValue },
        ];
        foreach (var promise in promises)
        {
            await Assert.ThrowsAsync<BlobMismatchException>(
                () => blobs.AddAsync(new MemoryStream(content), promise, None));
        }

        await Assert.ThrowsAsync<BlobMismatchException>(
            () => blobs.AddAsync(new EndlessStream(), new BlobAddition { Size = 10 }, None));
        Assert.Empty(_directory.Files());
        await blobs.AddAsync(
            new MemoryStream(content), new BlobAddition { Size = 5_000, Hash = Blake3.Hash(content) }, None);
    }

    [Fact]
    public async Task A_source_that_fails_midway_leaves_nothing()
    {
        var blobs = _directory.Open();
        await Assert.ThrowsAsync<IOException>(
            () => blobs.AddAsync(new EndlessStream(failAfter: 400_000), BlobAddition.Plain, None));
        Assert.Empty(_directory.Files());
    }

    [Fact]
    public async Task What_is_not_here_is_said_to_be_absent()
    {
        var blobs = _directory.Open();
        var absent = Blake3.Hash("absent"u8);
        Assert.False(blobs.Has(absent));
        Assert.Null(blobs.SizeOf(absent));
        Assert.Null(blobs.Find(absent));
        Assert.False(blobs.Stay(absent));
        await Assert.ThrowsAsync<BlobNotFoundException>(() => blobs.ReadAsync(absent, None));
        Assert.Throws<ArgumentException>(() => blobs.Has(default));
    }

    [Fact]
    public async Task Opening_sweeps_the_leftovers_of_the_dead_and_spares_the_living()
    {
        var blobs = _directory.Open();
        var hash = await blobs.AddBytesAsync(StoreDirectory.Content(10), None);
        var dead = Directory.CreateDirectory(Path.Combine(_directory.Root, "tmp", "dead")).FullName;
        await File.WriteAllTextAsync(Path.Combine(dead, "content"), "half a bl");
        await File.WriteAllTextAsync(Path.Combine(dead, "lock"), "");
        using var living = blobs.Files.NewTemporary();
        living.Create("content").Dispose();

        var reopened = _directory.Open();

        Assert.False(Directory.Exists(dead));
        Assert.True(File.Exists(Path.Combine(living.Path, "content")));
        Assert.True(reopened.Has(hash));
    }

    [Fact]
    public async Task Nobody_but_the_owner_can_read_anything()
    {
        var blobs = _directory.Open();
        var added = await blobs.AddAsync(
            new MemoryStream(StoreDirectory.Content(50_000)),
            new BlobAddition { Metadata = new BlobMetadata { Name = "x" }, Tag = BlobTag.Parse("x") }, None);
        Assert.True(added.WasNew);
        const UnixFileMode others = ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var entry in Directory.EnumerateFileSystemEntries(_directory.Root, "*", SearchOption.AllDirectories))
        {
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(entry) & others);
        }
    }

    [Fact]
    public async Task Pages_have_everything_once_in_one_order()
    {
        var blobs = _directory.Open();
        var all = new List<BlobHash>();
        for (var i = 0; i < 57; i++)
        {
            all.Add(await blobs.AddBytesAsync(StoreDirectory.Content(100, i), None));
        }

        StoreDirectory.Flip(_directory.FileOf(all[5]), 0);
        await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.ReadAsync(all[5], None));
        var seen = new List<BlobInfo>();
        BlobPage page;
        BlobHash? after = null;
        do
        {
            page = blobs.List(after, 10, null);
            seen.AddRange(page.Blobs);
            after = page.Next;
        }
        while (after is not null);

        Assert.Equal(all.Select(hash => hash.ToString()).Order(StringComparer.Ordinal), seen.Select(one => one.Hash.ToString()));
        Assert.Equal(all[5], Assert.Single(seen, one => one.State == BlobState.Quarantined).Hash);
        Assert.Equal(56, blobs.List(null, 1000, BlobState.Complete).Blobs.Count);
        Assert.Single(blobs.List(null, 1000, BlobState.Quarantined).Blobs);
        Assert.Equal(new BlobTotals(56, 5_600, 100, 0, 1, 5_700), blobs.Totals());
    }

    [Fact]
    public async Task Metadata_stay_and_what_breaks_their_rules_is_refused()
    {
        var blobs = _directory.Open();
        var metadata = new BlobMetadata
        {
            Name = "../../etc/passwd",
            ContentType = "application/x-elf",
            Custom = ImmutableSortedDictionary.CreateRange(StringComparer.Ordinal, [KeyValuePair.Create("arch", "x86_64")]),
        };
        var added = await blobs.AddAsync(new MemoryStream([1]), new BlobAddition { Metadata = metadata }, None);
        var found = _directory.Open().Find(added.Hash)!.Metadata;
        Assert.Equal((metadata.Name, metadata.ContentType), (found.Name, found.ContentType));
        Assert.Equal("x86_64", found.Custom["arch"]);
        BlobMetadata[] wrong =
        [
            new() { Name = "" }, new() { Name = "a\nb" }, new() { Name = new string('x', 256) },
            new() { ContentType = "text" }, new() { ContentType = "text/html\r\nX: y" },
            new() { Custom = found.Custom.Add("", "x") }, new() { Custom = found.Custom.Add("k", new string('x', 1025)) },
        ];
        foreach (var one in wrong)
        {
            await Assert.ThrowsAsync<ArgumentException>(
                () => blobs.AddAsync(new MemoryStream([2]), new BlobAddition { Metadata = one }, None));
        }

        await File.WriteAllTextAsync(_directory.FileOf(added.Hash, ".json"), "no json");
        Assert.True(blobs.Find(added.Hash)!.Metadata.IsEmpty);
    }

    [Fact]
    public async Task Over_the_quota_comes_collection_first_and_then_a_refusal()
    {
        var clock = new SetClock();
        var blobs = _directory.Open(
            options => (options.QuotaBytes, options.Grace) = (100_000, TimeSpan.FromHours(1)), clock);
        var free = await blobs.AddBytesAsync(StoreDirectory.Content(10_000, 1), None);
        var kept = await blobs.AddBytesAsync(StoreDirectory.Content(10_000, 2), None);
        blobs.Tags.Protect(kept, BlobTag.Parse("kept"));
        for (var i = 3; i < 10; i++)
        {
            await blobs.AddBytesAsync(StoreDirectory.Content(10_000, i), None);
        }

        var full = await Assert.ThrowsAsync<BlobQuotaException>(
            () => blobs.AddBytesAsync(StoreDirectory.Content(15_000), None));
        Assert.Contains("100000", full.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BlobQuotaException>(() => blobs.AddAsync(new EndlessStream(), BlobAddition.Plain, None));
        Assert.True(blobs.Has(free));

        clock.Now += TimeSpan.FromHours(2);
        await blobs.AddBytesAsync(StoreDirectory.Content(15_000), None);
        Assert.False(blobs.Has(free));
        Assert.True(blobs.Has(kept));
        Assert.InRange(blobs.Totals().StoredBytes, 25_000, 26_000);
    }
}
