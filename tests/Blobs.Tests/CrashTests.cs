using System.Diagnostics;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>A process that works on a store is killed (SIGKILL) at whatever moment it comes to.</summary>
public sealed class CrashTests : IDisposable
{
    private const int AddKills = 40;
    private const int FetchKills = 15;

    private static readonly CancellationToken None = CancellationToken.None;
    private readonly StoreDirectory _directory = new(inMemory: true);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Who_adds_tags_and_collects_may_die_at_any_moment()
    {
        var said = 0;
        var free = 0;
        for (var kill = 0; kill < AddKills; kill++)
        {
            var lines = await RunAndKillAsync(kill, "add", _directory.Root, $"{kill}");
            said += lines.Count;

            // Opening sweeps what was being written.
            var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_directory.Root, "tmp")));
            foreach (var blob in store.List(null, BlobStore.MaxPage, null).Blobs)
            {
                Assert.Equal(BlobState.Complete, blob.State);
                await store.VerifyAsync(blob.Hash, null, None);
            }

            // What was said to be there with a tag is, though it was collected all the while.
            foreach (var line in lines.Where(line => line.Length > 65))
            {
                Assert.Equal(BlobHash.Parse(line.AsSpan(0, 64)), store.Tags.Find(BlobTag.Parse(line[65..])));
            }

            var tags = store.Tags.List();
            Assert.All(tags, tag => Assert.True(store.Has(tag.Hash)));
            Assert.All(tags, tag => Assert.Equal(
                tag.Tag.ToString()[1..], store.Find(tag.Hash)!.Metadata.Custom["i"]));

            // A collection leaves what has a tag, and nothing beside it.
            free += (await store.Collector.CollectAsync(None)).Removed.Count;
            Assert.Equal(
                tags.Select(tag => tag.Hash.ToString()).Order(StringComparer.Ordinal),
                store.List(null, BlobStore.MaxPage, null).Blobs.Select(blob => blob.Hash.ToString()));
            foreach (var (tag, _) in tags)
            {
                store.Tags.Unprotect(tag);
            }

            await store.Collector.CollectAsync(None);
            Assert.Empty(_directory.Files());
        }

        Assert.InRange(said, AddKills, int.MaxValue);
        Assert.InRange(free, 1, int.MaxValue);
    }

    [Fact]
    public async Task Who_fetches_may_die_at_any_moment_and_the_next_one_goes_on()
    {
        await using var peer = await Served.StartAsync(options => options.SendBytesPerSecond = 40_000_000);
        var hashes = new List<string>();
        foreach (var length in (int[])[100, 500_000, 3_000_000, 20_000, 4_000_000])
        {
            hashes.Add((await peer.AddAsync(StoreDirectory.Content(length))).ToString());
        }

        for (var kill = 0; kill < FetchKills; kill++)
        {
            var lines = await RunAndKillAsync(kill, ["fetch", _directory.Root, peer.Url, .. hashes]);

            var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
            foreach (var line in lines.Skip(1))
            {
                await store.VerifyAsync(BlobHash.Parse(line), null, None);
            }

            foreach (var blob in store.List(null, BlobStore.MaxPage, BlobState.Complete).Blobs)
            {
                await store.VerifyAsync(blob.Hash, null, None);
            }

            var fetcher = Served.Fetcher(store, peer.Url);
            foreach (var hash in hashes.Select(hash => BlobHash.Parse(hash)))
            {
                await fetcher.FetchAsync(hash, null, null, None);
                await store.VerifyAsync(hash, null, None);
                store.Tags.Protect(hash, BlobTag.Parse("kept-" + hash));
            }

            // Nothing of the dead one is left.
            await store.Collector.CollectAsync(None);
            Assert.Equal(
                peer.Directory.Files(), _directory.Files().Where(file => !file.StartsWith("tags/", StringComparison.Ordinal)));
            foreach (var (tag, _) in store.Tags.List())
            {
                store.Tags.Unprotect(tag);
            }

            await store.Collector.CollectAsync(None);
            Assert.Empty(_directory.Files());
        }
    }

    /// <summary>What it said before it was killed.</summary>
    private static async Task<List<string>> RunAndKillAsync(int seed, params string[] arguments)
    {
        var random = new Random(seed);
        using var child = ChildProgram.Start(arguments);
        var lines = new List<string>();
        var reading = Task.Run(async () =>
        {
            while (await child.StandardOutput.ReadLineAsync() is { } line)
            {
                lines.Add(line);
            }
        });

        // From its first steps on, to some way on.
        var moment = Stopwatch.StartNew();
        while (lines.Count < seed % 4 && !child.HasExited)
        {
            Assert.InRange(moment.Elapsed.TotalSeconds, 0, 60);
            await Task.Delay(1);
        }

        await Task.Delay(random.Next(seed % 4 == 0 ? 250 : 40));
        child.Kill();
        await child.WaitForExitAsync();
        await reading;
        return lines;
    }
}
