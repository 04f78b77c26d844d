using System.Collections.Concurrent;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

public sealed class CollectionTests : IDisposable
{
    private const int Rounds = 5_000;

    private static readonly CancellationToken None = CancellationToken.None;
    private readonly StoreDirectory _directory = new(inMemory: true);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task What_nothing_keeps_alive_goes_after_its_time_of_grace()
    {
        var clock = new SetClock();
        var referenced = new HashSet<BlobHash>();
        var blobs = _directory.Open(options => (options.Grace, options.References) =
            (TimeSpan.FromHours(1), _ => Task.FromResult<IReadOnlySet<BlobHash>>(referenced)), clock);
        var free = await blobs.AddBytesAsync(StoreDirectory.Content(50_000, 1), None);
        var tagged = await blobs.AddBytesAsync(StoreDirectory.Content(100, 2), None);
        var named = await blobs.AddBytesAsync(StoreDirectory.Content(100, 3), None);
        var asked = await blobs.AddBytesAsync(StoreDirectory.Content(100, 4), None);
        blobs.Tags.Protect(tagged, BlobTag.Parse("a/b:c"));
        referenced.Add(named);
        Assert.Empty((await blobs.Collector.CollectAsync(None)).Removed);

        clock.Now += TimeSpan.FromMinutes(59);
        Assert.True(blobs.Stay(asked));
        clock.Now += TimeSpan.FromMinutes(2);
        Assert.Equal([free], (await blobs.Collector.CollectAsync(None, isTrial: true)).Removed);
        var report = await blobs.Collector.CollectAsync(None);
        Assert.Equal([free], report.Removed);
        Assert.Equal((4, 50_000), (report.Examined, report.FreedBytes));
        Assert.False(blobs.Has(free));
        Assert.True(blobs.Has(tagged) && blobs.Has(named) && blobs.Has(asked));

        Assert.True(blobs.Tags.Unprotect(BlobTag.Parse("a/b:c")));
        Assert.False(blobs.Tags.Unprotect(BlobTag.Parse("a/b:c")));
        referenced.Clear();
        clock.Now += TimeSpan.FromHours(2);
        Assert.Equal(3, (await blobs.Collector.CollectAsync(None)).Removed.Count);
        Assert.Empty(_directory.Files());
    }

    [Fact]
    public async Task What_was_let_go_is_kept_by_tags_and_references_alone()
    {
        var referenced = new HashSet<BlobHash>();
        BlobStore? blobs = null;
        var during = new List<BlobHash>();
        blobs = _directory.Open(options => (options.Grace, options.References) = (TimeSpan.FromHours(1), _ =>
        {
            // It is let go while a collection is under way that has not seen its reference.
            during.ForEach(blobs!.LetGo);
            return Task.FromResult<IReadOnlySet<BlobHash>>(referenced);
        }));
        var kept = await blobs.AddBytesAsync(StoreDirectory.Content(100, 1), None);
        var free = await blobs.AddBytesAsync(StoreDirectory.Content(100, 2), None);
        var late = await blobs.AddBytesAsync(StoreDirectory.Content(100, 3), None);
        referenced.Add(kept);
        during.Add(late);
        blobs.LetGo(kept);
        blobs.LetGo(free);
        blobs.LetGo(Blake3.Hash("absent"u8));
        Assert.Equal([free], (await blobs.Collector.CollectAsync(None)).Removed);
        Assert.True(blobs.Has(kept) && blobs.Has(late));

        during.Clear();
        blobs.LetGo(late);
        Assert.Equal([late], (await blobs.Collector.CollectAsync(None)).Removed);
    }

    [Fact]
    public async Task Nothing_is_removed_when_it_is_not_known_what_is_needed()
    {
        var blobs = _directory.Open(options => (options.Grace, options.References) =
            (TimeSpan.Zero, _ => throw new IOException("The ledger is away.")));
        var hash = await blobs.AddBytesAsync(StoreDirectory.Content(100), None);
        await Assert.ThrowsAsync<IOException>(() => blobs.Collector.CollectAsync(None));
        Assert.True(blobs.Has(hash));

        var other = _directory.Open(options => options.Grace = TimeSpan.Zero);
        other.Tags.Protect(hash, BlobTag.Parse("t"));
        var tag = Directory.GetFiles(Path.Combine(_directory.Root, "tags")).Single();
        await File.WriteAllTextAsync(tag, "{");
        await Assert.ThrowsAsync<IOException>(() => other.Collector.CollectAsync(None));
        Assert.True(blobs.Has(hash));
    }

    [Fact]
    public async Task A_reader_reads_on_where_the_blob_is_removed()
    {
        var blobs = _directory.Open(options => options.Grace = TimeSpan.Zero);
        var content = StoreDirectory.Content(2_000_000);
        var hash = await blobs.AddBytesAsync(content, None);
        await using var stream = blobs.OpenRead(hash);
        var beginning = new byte[10];
        await stream.ReadExactlyAsync(beginning);
        Assert.Single((await blobs.Collector.CollectAsync(None)).Removed);
        var rest = new MemoryStream();
        await stream.CopyToAsync(rest);
        Assert.Equal(content, beginning.Concat(rest.ToArray()));
    }

    /// <summary>No time of grace, and collections without end: what is added with a tag, or tagged while it is there,
    /// stays until its tag is gone.</summary>
    [Fact]
    public async Task What_is_added_or_tagged_during_a_sweep_survives_it()
    {
        var blobs = _directory.Open(options => options.Grace = TimeSpan.Zero);
        var other = _directory.Open(options => options.Grace = TimeSpan.Zero);
        using var done = new CancellationTokenSource();
        var collections = 0;
        var removed = new ConcurrentBag<BlobHash>();
        var collecting = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                foreach (var hash in (await other.Collector.CollectAsync(None)).Removed)
                {
                    removed.Add(hash);
                }

                collections++;
            }
        });
        var (tagged, tooLate) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 2).Select(writer => Task.Run(async () =>
        {
            // Many contents again and again, so that what is added is often what is being swept.
            var random = new Random(writer);
            for (var round = 0; round < Rounds / 2; round++)
            {
                var content = BitConverter.GetBytes(random.Next(20) + (writer * 100));
                var tag = BlobTag.Parse($"{writer}-{round % 5}");
                BlobHash hash;
                if (random.Next(2) == 0)
                {
                    hash = (await blobs.AddAsync(new MemoryStream(content), new BlobAddition { Tag = tag }, None)).Hash;
                }
                else
                {
                    hash = await blobs.AddBytesAsync(content, None);
                    try
                    {
                        blobs.Tags.Protect(hash, tag);
                    }
                    catch (BlobNotFoundException)
                    {
                        // It was removed between the two, as it may without a time of grace.
                        Interlocked.Increment(ref tooLate);
                        continue;
                    }
                }

                Interlocked.Increment(ref tagged);
                Assert.Equal(content, await blobs.ReadAsync(hash, None));
                for (var i = random.Next(3); i > 0; i--)
                {
                    await Task.Yield();
                    Assert.Equal(content, await blobs.ReadAsync(hash, None));
                }

                if (random.Next(3) == 0)
                {
                    blobs.Tags.Unprotect(tag);
                }
            }
        })));
        await done.CancelAsync();
        await collecting;

        Assert.InRange(tagged, Rounds / 3, Rounds);
        Assert.True(collections > 100, $"{collections} collections");
        Assert.True(removed.Count > 100, $"{removed.Count} removed");
        foreach (var (tag, hash) in blobs.Tags.List())
        {
            Assert.True(blobs.Has(hash), $"{tag} lost its blob");
        }
    }
}
