using System.Collections.Immutable;
using System.Diagnostics;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>Another process at work on a store, to be killed: this very assembly, started as a program. It says on a line
/// what it has done, once that is durable.</summary>
internal static class ChildProgram
{
    public static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["add", var root, var seed]:
                await AddAsync(root, new Random(int.Parse(seed)));
                return 0;
            case ["fetch", var root, var peer, .. var hashes]:
                await FetchAsync(root, peer, hashes);
                return 0;
            case ["large", var root, var bytes]:
                await LargeAsync(root, long.Parse(bytes));
                return 0;
            default:
                await Console.Error.WriteLineAsync("Expected add ROOT SEED, fetch ROOT PEER HASH..., or large ROOT BYTES");
                return 2;
        }
    }

    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ChildProgram).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }

    private static BlobStore Open(string root) =>
        BlobStore.Open(root, new BlobStoreOptions { Grace = TimeSpan.Zero }, TimeProvider.System);

    /// <summary>Adds without end, and collects all the while; every other blob has a tag, and metadata.</summary>
    private static async Task AddAsync(string root, Random random)
    {
        var store = Open(root);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                await store.Collector.CollectAsync(CancellationToken.None);
            }
        });
        for (var i = 0; ; i++)
        {
            var content = new byte[random.Next(3) == 0 ? random.Next(20_000) : random.Next(2_000_000)];
            random.NextBytes(content);
            var addition = i % 2 == 0 ? BlobAddition.Plain : new BlobAddition
            {
                Tag = BlobTag.Parse($"t{i}"),
                Metadata = new BlobMetadata
                {
                    Name = $"b{i}",
                    Custom = ImmutableSortedDictionary<string, string>.Empty.Add("i", $"{i}"),
                },
            };
            var added = await store.AddAsync(new MemoryStream(content), addition, CancellationToken.None);
            await Console.Out.WriteLineAsync($"{added.Hash} {addition.Tag}");
        }
    }

    /// <summary>Adds a blob of that size and reads it back; says by how many bytes its working set was larger meanwhile than
    /// after the same with a small one.</summary>
    private static async Task LargeAsync(string root, long bytes)
    {
        var store = Open(root);
        await AddAndReadAsync(store, 64 << 20);
        var before = PeakBytes();
        await AddAndReadAsync(store, bytes);
        await Console.Out.WriteLineAsync($"{PeakBytes() - before}");
    }

    private static async Task AddAndReadAsync(BlobStore store, long bytes)
    {
        var added = await store.AddAsync(new CountingStream(bytes), BlobAddition.Plain, CancellationToken.None);
        await using var read = store.OpenRead(added.Hash);
        await using var expected = new CountingStream(bytes);
        var (found, right) = (new byte[1 << 20], new byte[1 << 20]);
        int count;
        while ((count = await read.ReadAtLeastAsync(found, found.Length, throwOnEndOfStream: false)) > 0)
        {
            await expected.ReadExactlyAsync(right.AsMemory(0, count));
            if (!found.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count)))
            {
                throw new InvalidOperationException($"Other bytes came back before {read.Position}.");
            }
        }

        if (read.Position != bytes)
        {
            throw new InvalidOperationException($"{read.Position} bytes came back.");
        }
    }

    private static long PeakBytes() => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .AsSpan(6).Trim(" \tkB"));

    private static async Task FetchAsync(string root, string peer, string[] hashes)
    {
        var fetcher = Served.Fetcher(Open(root), peer);
        await Console.Out.WriteLineAsync("begun");
        foreach (var hash in hashes)
        {
            await fetcher.FetchAsync(BlobHash.Parse(hash), null, null, CancellationToken.None);
            await Console.Out.WriteLineAsync(hash);
        }
    }
}
