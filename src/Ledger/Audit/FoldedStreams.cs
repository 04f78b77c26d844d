using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>One stream as far as it was read.</summary>
internal sealed class StreamFold
{
    public long Version { get; set; }

    /// <summary>Where it is broken, or why nothing more can be known of it; null if it is not.</summary>
    public BrokenPlace? Broken { get; set; }

    /// <summary>True once a job has ended, and only what others find of its receipts may follow.</summary>
    public bool IsClosed { get; set; }

    /// <summary>True once nothing follows that may.</summary>
    public bool Ended { get; set; }
    public ReceiptBook? Book { get; set; }
    public JobState? Job { get; set; }
    public AccountState? Account { get; set; }
    public Digest? LastDigest { get; set; }

    /// <summary>What a job's document says; null if it says nothing.</summary>
    public string? Correlation { get; set; }

    /// <summary>What the row of the stream must say: when its first event was appended, and when its last.</summary>
    public DateTimeOffset Created { get; set; }
    public DateTimeOffset Appended { get; set; }
}

/// <summary>
/// The streams of a ledger while it is folded. Of a stream that has ended only its place in a sum over all streams is kept,
/// and of the latest 100,000 that they have ended: so memory grows with what is open and with parties, not with the log.
/// </summary>
/// <param name="followed">The streams of jobs in which something follows their end, by what the rows say of themselves: it is
/// believed only to choose what is kept. Null: any may be.</param>
internal sealed class FoldedStreams(IReadOnlySet<string>? followed)
{
    private const int MostRemembered = 100_000;

    private readonly Dictionary<string, StreamFold> _open = [];
    private readonly Dictionary<string, StreamFold> _ended = [];
    private readonly Queue<string> _order = [];

    /// <summary>What the rows of <c>mt_streams</c> must add up to, of streams that have ended.</summary>
    public KeyedSum Rows { get; } = new();

    public long Count { get; private set; }

    public IEnumerable<StreamFold> Open => _open.Values;

    /// <summary>The stream; a new one if nothing is known of it.</summary>
    public StreamFold Of(string name)
    {
        if (_open.TryGetValue(name, out var stream))
        {
            return stream;
        }

        if (_ended.Remove(name, out stream))
        {
            Rows.Remove(RowOf(name, stream));
        }
        else
        {
            stream = new StreamFold();
            Count++;
        }

        _open.Add(name, stream);
        return stream;
    }

    public bool IsFollowed(string name) => followed?.Contains(name) != false;

    /// <summary>Null if nothing is known of it.</summary>
    public StreamFold? Find(string name) => _open.GetValueOrDefault(name) ?? _ended.GetValueOrDefault(name);

    /// <summary>Nothing may follow in the stream.</summary>
    public void End(string name)
    {
        if (!_open.Remove(name, out var stream))
        {
            return;
        }

        (stream.Ended, stream.Job) = (true, null);
        Rows.Add(RowOf(name, stream));
        _ended[name] = stream;
        _order.Enqueue(name);
        while (_order.Count > MostRemembered)
        {
            _ended.Remove(_order.Dequeue());
        }
    }

    /// <summary>After the last event: adds the streams that are open to the sum.</summary>
    public void Finish()
    {
        foreach (var (name, stream) in _open)
        {
            Rows.Add(RowOf(name, stream));
        }
    }

    /// <summary>What a row of <c>mt_streams</c> adds to the sum.</summary>
    public ulong RowOf(string name, long version, DateTimeOffset created, DateTimeOffset appended) =>
        Rows.Of(name, version, created.UtcTicks, appended.UtcTicks);

    private ulong RowOf(string name, StreamFold stream) => RowOf(name, stream.Version, stream.Created, stream.Appended);
}
