using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;

namespace MeshLedger.Projections.AsOf;

/// <summary>
/// The whole ledger as it stood after any of its events, folded from the first on by the domain's own folds, each event
/// verified. Of jobs that have ended only their number is kept, so memory grows with accounts, workers and what is open,
/// not with the log's length.
/// </summary>
public sealed class LedgerAsOf
{
    private readonly Dictionary<Did, AccountState> _accounts = [];
    private readonly Dictionary<StreamId, JobState> _open = [];
    private readonly Dictionary<string, long> _ended = new(StringComparer.Ordinal);

    private LedgerAsOf()
    {
    }

    public Registry Registry { get; } = new();

    public ReputationBook Reputation { get; } = new();

    public IReadOnlyDictionary<Did, AccountState> Accounts => _accounts;

    /// <summary>The last event that is in it; 0 before the first.</summary>
    public long Position { get; private set; }

    /// <summary>When that was appended, by the clock of the node that did it.</summary>
    public DateTimeOffset AppendedAt { get; private set; }

    /// <summary>What of receipts was found right, and what wrong.</summary>
    public long Verified { get; private set; }

    public long Disputed { get; private set; }

    /// <summary>How many jobs are in each status, in the order of a job's life.</summary>
    public IReadOnlyList<(string Status, long Jobs)> Jobs =>
    [
        .. JobStatusNames.All.Select(status => (
            status, _ended.GetValueOrDefault(status) + _open.Values.LongCount(job => job.Status.Name() == status))),
    ];

    /// <summary>Folds the events up to a position, or up to the first that was appended after a time, whichever comes
    /// first.</summary>
    /// <param name="progress">Gets the position now and then.</param>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed, or cannot follow.</exception>
    public static async Task<LedgerAsOf> FoldAsync(
        IEventStore store, long position, DateTimeOffset? time, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var ledger = new LedgerAsOf();
        await foreach (var batch in VerifiedLog.UpToAsync(store, position, cancellationToken))
        {
            foreach (var recorded in batch)
            {
                if (recorded.AppendedAt > time)
                {
                    return ledger;
                }

                ledger.Take(recorded);
            }

            progress?.Report(ledger.Position);
        }

        return ledger;
    }

    private void Take(RecordedEvent recorded)
    {
        var statement = recorded.Statement;
        (Position, AppendedAt) = (recorded.Position, recorded.AppendedAt);
        Registry.Apply(recorded);
        Reputation.Apply(statement.Body, statement.Time);
        switch (statement.Body)
        {
            case AccountEvent money when statement.Stream.IsAccount(out var owner):
                _accounts[owner] = Account.Evolve(
                    _accounts.GetValueOrDefault(owner) ?? AccountState.None, money, statement.Time);
                break;
            case JobEvent.ReceiptVerified:
                Verified++;
                break;
            case JobEvent.ReceiptDisputed:
                Disputed++;
                break;
            case JobEvent:
                Take(statement);
                break;
        }
    }

    private void Take(Statement statement)
    {
        var job = Job.Evolve(_open.GetValueOrDefault(statement.Stream), EventFact.Of(statement));
        if (job.Status.IsTerminal())
        {
            _open.Remove(statement.Stream);
            _ended[job.Status.Name()] = _ended.GetValueOrDefault(job.Status.Name()) + 1;
        }
        else
        {
            _open[statement.Stream] = job;
        }
    }
}
