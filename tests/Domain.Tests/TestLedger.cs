using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Reputation;

namespace MeshLedger.Domain.Tests;

/// <summary>
/// A ledger without a store: judges every event by the room's rules as it comes, folds what was accepted, and after each
/// sees that no mana was made or lost.
/// </summary>
internal sealed class TestLedger
{
    private readonly Dictionary<StreamId, JobState> _jobs = [];
    private readonly Dictionary<StreamId, AccountState> _accounts = [];
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly HashSet<Digest> _digests = [];
    private readonly List<Statement> _statements = [];
    private long _paid;
    private long _received;

    public Registry Registry { get; } = new();

    public ReputationBook Book { get; } = new();

    public IReadOnlyList<Statement> Statements => _statements;

    public IReadOnlyDictionary<StreamId, JobState> Jobs => _jobs;

    public long Position => _statements.Count;

    public long Created { get; private set; }

    public long Balances { get; private set; }

    /// <summary>Also what was paid and not received yet: the two stand in one append.</summary>
    public long Held { get; private set; }

    public JobState? Job(StreamId stream) => _jobs.GetValueOrDefault(stream);

    public AccountState Account(Did owner) => _accounts.GetValueOrDefault(StreamId.OfAccount(owner)) ?? AccountState.None;

    /// <summary>Why a statement may not come next; null if it may.</summary>
    public Refusal? Check(Statement statement)
    {
        if (statement.Cause is { } cause && !_digests.Contains(cause))
        {
            return new Refusal("WRONG_CAUSE", "the cause is no event before");
        }

        var fact = EventFact.Of(statement);
        return statement.Body switch
        {
            JobEvent when statement.Stream.IsJob(out _) => JobRules.Check(Job(statement.Stream), fact, Registry),
            AccountEvent when statement.Stream.IsAccount(out _) =>
                Domain.Accounts.Account.Check(_accounts.GetValueOrDefault(statement.Stream) ?? AccountState.None, fact, Registry),
            JobEvent or AccountEvent => new Refusal("WRONG_STREAM", "it stands elsewhere"),
            _ => Registry.Check(statement, statement.Body, _versions.GetValueOrDefault(statement.Stream) + 1),
        };
    }

    /// <summary>Takes in what was checked.</summary>
    public void Take(Statement statement)
    {
        var (stream, body) = (statement.Stream, statement.Body);
        _statements.Add(statement);
        _digests.Add(statement.Digest);
        _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
        Registry.Apply(statement, body, _versions[stream], Position);
        Book.Apply(body, statement.Time);
        switch (body)
        {
            case JobEvent:
                _jobs[stream] = Domain.Jobs.Job.Evolve(Job(stream), EventFact.Of(statement));
                break;
            case AccountEvent money:
                Move(stream, money, statement.Time);
                break;
        }
    }

    private void Move(StreamId stream, AccountEvent body, DateTimeOffset time)
    {
        var before = _accounts.GetValueOrDefault(stream) ?? AccountState.None;
        var after = _accounts[stream] = Domain.Accounts.Account.Evolve(before, body, time);
        Assert.True(after is { Balance: >= 0, Held: >= 0 } && after.Escrow.Values.All(held => held > 0));
        Assert.Equal(after.Escrow.Values.Sum(), after.Held);
        Created += after.Granted + after.Regenerated - before.Granted - before.Regenerated;
        Balances += after.Balance - before.Balance;
        Held += after.Held - before.Held;
        _paid += (body as AccountEvent.Paid)?.Amount ?? 0;
        _received += (body as AccountEvent.Received)?.Amount ?? 0;
        Assert.Equal(Created, Balances + Held + _paid - _received);
    }
}
