using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Jobs;

namespace MeshLedger.Tools.Replay;

/// <summary>A job's stream, folded event by event: each judged as it was when it came, and the states between.</summary>
internal sealed class ReplayedJob
{
    private readonly List<JobState> _states = [];
    private readonly List<Refusal?> _refusals = [];
    private readonly Dictionary<Did, string> _nodeNames = [];
    private readonly Registry _registry;

    private ReplayedJob(JobId job, IReadOnlyList<RecordedEvent> events, Registry registry)
    {
        (Id, Events, _registry) = (job, events, registry);
        Names = Names.Of(registry);
        Facts = [.. events.Select(recorded => EventFact.Of(recorded.Statement))];
    }

    public JobId Id { get; }

    public IReadOnlyList<RecordedEvent> Events { get; }

    public IReadOnlyList<EventFact> Facts { get; }

    public Names Names { get; }

    public Registry Registry => _registry;

    /// <summary>As of now.</summary>
    public JobState State => _states[^1];

    /// <exception cref="CommandFailure">There is no such job.</exception>
    public static async Task<ReplayedJob> LoadAsync(LedgerSession ledger, JobId job, CancellationToken cancellationToken)
    {
        var events = await ledger.Store.LoadAsync(StreamId.OfJob(job), cancellationToken);
        if (events.Count == 0)
        {
            throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
        }

        var replayed = new ReplayedJob(job, events, new Registry());
        replayed.Fold(await ledger.Store.LoadKindsAsync(["ledger", "node", "worker", "federation"], cancellationToken));
        return replayed;
    }

    /// <summary>The first so many events, as objects.</summary>
    public IEnumerable<JsonObject> Rows(int count) => Enumerable.Range(0, count).Select(Row);

    /// <summary>The job after so many events, as <c>job show</c> shows it.</summary>
    public JsonObject? StateAfter(int count) => count == 0
        ? null
        : JobView.Of(Id, _states[count - 1], _states[count - 1].Assignment?.Considered ?? [], [], Names);

    /// <summary>What a key is: <c>node NAME</c>, <c>worker ID</c>, <c>submitter</c>.</summary>
    public string RoleOf(Did key) =>
        key == State.Submitter && !_registry.IsNode(key) ? "submitter"
        : _registry.IsNode(key) && _nodeNames.TryGetValue(key, out var name) ? $"node {name}"
        : Names.Role(key);

    /// <summary>Judges each event by who was who when it came.</summary>
    /// <param name="others">What says who is who, in log order.</param>
    private void Fold(IReadOnlyList<RecordedEvent> others)
    {
        var next = 0;
        JobState? state = null;
        foreach (var (recorded, fact) in Events.Zip(Facts))
        {
            Learn(recorded.Position);
            _refusals.Add(JobRules.Check(state, fact, _registry));
            _states.Add(state = Job.Evolve(state, fact));
        }

        Learn(long.MaxValue);

        void Learn(long before)
        {
            for (; next < others.Count && others[next].Position < before; next++)
            {
                var other = others[next];
                _registry.Apply(other);
                if (other.Statement.Body is NodeEvent.Founded { Name: var founder })
                {
                    _nodeNames.TryAdd(other.Statement.By, founder);
                }
                else if (other.Statement.Body is NodeEvent.Joined { Name: var name })
                {
                    _nodeNames.TryAdd(other.Statement.By, name);
                }
            }
        }
    }

    private JsonObject Row(int i)
    {
        var (recorded, fact) = (Events[i], Facts[i]);
        var before = i == 0 ? null : _states[i - 1];
        var refusal = _refusals[i];
        var rule = RuleText.Of(fact.Body);
        var cause = recorded.Statement.Cause is { } digest
            ? Events.FirstOrDefault(other => other.Statement.Digest == digest)
            : null;
        return new JsonObject
        {
            ["position"] = recorded.Position,
            ["version"] = recorded.Version,
            ["type"] = recorded.Statement.Type,
            ["by"] = fact.By.ToString(),
            ["role"] = RoleOf(fact.By),
            ["time"] = Timestamps.Write(fact.Time),
            ["appended_at"] = Timestamps.Write(recorded.AppendedAt),
            ["digest"] = fact.Digest.ToString(),
            ["says"] = JobEventText.Of(fact.Body, Names, withBar: false).Trim(),
            ["status_before"] = before?.Status.Name(),
            ["status_after"] = _states[i].Status.Name(),
            ["legal"] = refusal is null,
            ["refusal"] = refusal?.ToString(),
            ["rule"] = new JsonObject { ["by"] = rule.By, ["when"] = rule.When, ["cause"] = rule.Cause },
            ["cause"] = fact.Cause?.ToString(),
            ["cause_version"] = cause?.Version,
            ["cause_type"] = cause?.Statement.Type,
            ["data"] = JsonNode.Parse(recorded.Statement.Data.Span),
        };
    }
}
