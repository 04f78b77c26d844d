using System.Diagnostics;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Transparency;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Benchmarks;

/// <summary>What the log costs: appends with it and without it, in turn; taking in a million events that are there already;
/// a proof in a tree of ten million leaves, which are hashes of numbers and no events.</summary>
internal static class LogBenchmark
{
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Million = 1_000_000;
    private const int Proofs = 1000;

    public static async Task RunAsync()
    {
        await using (var database = await BenchDatabase.StartAsync())
        {
            await AppendAsync(database, "log_append", callers: 64, batch: 1);
            await AppendAsync(database, "log_append_batch100", callers: 8, batch: 100);
        }

        await using (var database = await BenchDatabase.StartAsync())
        {
            await IntegrateAsync(database);
        }

        await ProveAsync();
    }

    private static async Task AppendAsync(BenchDatabase database, string name, int callers, int batch)
    {
        await using var store = database.OpenStore();
        await AppendBenchmark.MeasureAsync(store, callers, batch, seconds: 3);
        var (with, without) = (0.0, 0.0);
        for (var round = 0; round < Rounds; round++)
        {
            without += await AppendBenchmark.MeasureAsync(store, callers, batch, Seconds);
            var publisher = Publisher(database, store, name);
            await using (var running = new Running(publisher))
            {
                await running.UntilAsync(await store.HeadAsync(CancellationToken.None));
                with += await AppendBenchmark.MeasureAsync(store, callers, batch, Seconds);
                var behind = Stopwatch.StartNew();
                await running.UntilAsync(await store.HeadAsync(CancellationToken.None));
                Figure.Print($"{name}_behind", behind.Elapsed.TotalMilliseconds, "ms");
            }
        }

        Figure.Print(name, with / Rounds, "events/s", "without_log", without / Rounds);
    }

    private static async Task IntegrateAsync(BenchDatabase database)
    {
        await using (var writer = database.OpenStore())
        {
            while (await writer.HeadAsync(CancellationToken.None) < Million)
            {
                await AppendBenchmark.MeasureAsync(writer, callers: 8, batch: 100, seconds: 4);
            }
        }

        // As a node that finds them: nothing of them is in its memory.
        await using var store = database.OpenStore();
        var head = await store.HeadAsync(CancellationToken.None);
        var clock = Stopwatch.StartNew();
        await using var running = new Running(Publisher(database, store, "integrate"));
        await running.UntilAsync(head);
        Figure.Print("log_integrate_1m", clock.Elapsed.TotalSeconds * Million / head, "s");
    }

    private static async Task ProveAsync()
    {
        const int Size = 10 * Million;
        var directory = Directory.CreateTempSubdirectory("ml-bench-log-").FullName;
        var tree = new TileTree();
        for (var i = 0; i < Size; i++)
        {
            tree.AddLeaf(MerkleTree.LeafHash(BitConverter.GetBytes(i)));
            if (tree.Completed.Count > 0)
            {
                Write(tree.Completed);
                tree.Completed.Clear();
            }
        }

        Write(tree.Partials(Size));
        var root = tree.Root;
        var random = new Random(1);
        var worst = TimeSpan.Zero;
        var total = TimeSpan.Zero;
        for (var i = 0; i < Proofs; i++)
        {
            var index = random.Next(Size);
            var start = Stopwatch.GetTimestamp();
            var path = await new LogReader(new DirectoryLogSource(directory), Size)
                .InclusionAsync(index, Size, CancellationToken.None);
            var took = Stopwatch.GetElapsedTime(start);
            if (MerkleTree.RootFromPath(MerkleTree.LeafHash(BitConverter.GetBytes(index)), index, Size, path) != root)
            {
                throw new InvalidOperationException($"The proof of {index} does not lead to the root.");
            }

            total += took;
            worst = i > 0 && took > worst ? took : worst;
        }

        Directory.Delete(directory, recursive: true);
        Figure.Print("log_proof_10m_simulated_mean", total.TotalMilliseconds / Proofs, "ms");
        Figure.Print("log_proof_10m_simulated_worst", worst.TotalMilliseconds, "ms");

        void Write(IEnumerable<(LogTile Tile, byte[] Bytes)> tiles)
        {
            foreach (var (tile, bytes) in tiles)
            {
                var file = Path.Combine(directory, tile.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllBytes(file, bytes);
            }
        }
    }

    private static LogPublisher Publisher(BenchDatabase database, Ledger.PostgresEventStore store, string name) => new(
        store, database.Source,
        new LogOptions
        {
            Directory = Path.Combine(database.Directory, name),
            Key = SigningKey.LoadOrCreate(Path.Combine(database.Directory, $"{name}.key")),
        },
        TimeProvider.System, NullLogger<LogPublisher>.Instance);

    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly LogPublisher _publisher;
        private readonly Task _task;

        public Running(LogPublisher publisher)
        {
            _publisher = publisher;
            _task = publisher.RunAsync(_stop.Token);
        }

        public async Task UntilAsync(long size)
        {
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
            while ((_publisher.Last?.Head.Size ?? 0) < size && !_task.IsCompleted)
            {
                await pace.WaitForNextTickAsync();
            }

            if (_task.IsCompleted)
            {
                await _task;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _task;
            _stop.Dispose();
        }
    }
}
