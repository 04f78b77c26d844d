using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests.Transparency;

/// <summary>A ledger of its own, and a directory for its log, which is removed at the end.</summary>
internal sealed class LogFixture : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly SigningKey _author = SigningKey.Generate();
    private long _version;

    private LogFixture(PostgresDatabase database)
    {
        Database = database;
        Store = OpenStore();
        Home = System.IO.Directory.CreateTempSubdirectory("ml-log-").FullName;
    }

    public PostgresDatabase Database { get; }

    public PostgresEventStore Store { get; }

    public string Home { get; }

    public string Directory => Path.Combine(Home, "log");

    public SigningKey Key { get; } = SigningKey.Generate();

    public LogLines<LogPublisher> Lines { get; } = new();

    public LogOptions Options => new() { Directory = Directory, Key = Key, Interval = TimeSpan.FromMilliseconds(20) };

    public NoteKey NoteKey => Options.NoteKey;

    public DirectoryLogSource Source => new(Directory);

    public static async Task<LogFixture> CreateAsync() => new(await PostgresDatabase.CreateAsync());

    public PostgresEventStore OpenStore() =>
        new(Database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);

    public LogPublisher Publisher(LogOptions? options = null, TimeProvider? clock = null, IEventStore? store = null) =>
        new(store ?? Store, Database.Source, options ?? Options, clock ?? TimeProvider.System, Lines);

    /// <summary>Appends events, in batches that one signature covers.</summary>
    public async Task AppendAsync(int count, int batch = 100)
    {
        var author = new EventAuthor(_author, TimeProvider.System);
        var stream = StreamId.Parse("account-" + _author.Did);
        for (; count > 0; count -= batch)
        {
            var statements = Enumerable.Range(0, Math.Min(batch, count))
                .Select(i => author.State(new AccountEvent.Opened(_version + i, 0, 0), null, stream)).ToArray();
            var request = new AppendRequest(author.Sign(statements), new Dictionary<StreamId, long> { [stream] = _version });
            Assert.IsType<AppendOutcome.Appended>(await Store.AppendAsync(request, CancellationToken.None));
            _version += statements.Length;
        }
    }

    /// <summary>Publishes until the log has everything.</summary>
    public async Task<SignedHead> PublishAsync(LogOptions? options = null, TimeProvider? clock = null)
    {
        await using var running = Run(Publisher(options, clock));
        return await running.UntilAsync(await Store.HeadAsync(CancellationToken.None));
    }

    public static Running Run(LogPublisher publisher) => new(publisher);

    public async Task<LogCheckReport> CheckAsync() => await LogCheck.RunAsync(Source, NoteKey, null, CancellationToken.None);

    /// <summary>Every file of the log but the lock, with its bytes.</summary>
    public SortedDictionary<string, byte[]> Files(string? directory = null)
    {
        var root = directory ?? Directory;
        return new(System.IO.Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "lock")
            .ToDictionary(file => Path.GetRelativePath(root, file), File.ReadAllBytes), StringComparer.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        await Database.DisposeAsync();
        System.IO.Directory.Delete(Home, recursive: true);
    }

    /// <summary>A publisher at work.</summary>
    public sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly SemaphoreSlim _published = new(0);
        private readonly LogPublisher _publisher;

        public Running(LogPublisher publisher)
        {
            _publisher = publisher;
            publisher.Published += _ => _published.Release();
            Task = publisher.RunAsync(_stop.Token);
        }

        public Task Task { get; }

        /// <summary>Waits until the log has so many entries.</summary>
        public async Task<SignedHead> UntilAsync(long size)
        {
            using var limit = new CancellationTokenSource(Patience);
            while (_publisher.Last is not { } last || last.Head.Size < size)
            {
                // A log that stands where it should already publishes nothing.
                var more = _published.WaitAsync(TimeSpan.FromMilliseconds(50), limit.Token);
                if (await System.Threading.Tasks.Task.WhenAny(Task, more) == Task)
                {
                    await Task;
                    Assert.Fail("The publisher ended.");
                }

                await more;
            }

            return _publisher.Last;
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
            _published.Dispose();
        }
    }
}
