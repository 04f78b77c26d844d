using System.Threading.Channels;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>
/// The only writer of events in this process. It gathers the requests that wait, puts as many as fit together into one
/// round trip to <c>ml_append</c>, and answers each. Many sequencers may write one database: the function's lock orders
/// them, and what a sequencer assumed wrongly about a stream comes back as that stream's true version.
/// </summary>
/// <remarks>
/// <c>_versions</c> is read and written by the loop alone. A request is answered once: appended, in conflict, or failed
/// with the database's error. While the database is away the loop tries again, for requests are safe to repeat.
/// </remarks>
internal sealed class Sequencer : IAsyncDisposable
{
    private const int Handful = 16;
    private const int MaxEvents = 4096;
    private const long MaxBytes = 16 << 20;
    private const int MaxCachedVersions = 200_000;
    private const int MaxRounds = 50;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastDelay = TimeSpan.FromSeconds(2);

    private readonly NpgsqlDataSource _database;
    private readonly RecentEvents _recent;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly AppendWatch _watch;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly Channel<PendingAppend> _waiting =
        Channel.CreateBounded<PendingAppend>(new BoundedChannelOptions(20_000) { SingleReader = true });

    private readonly Task _loop;

    public Sequencer(NpgsqlDataSource database, RecentEvents recent, TimeProvider clock, ILogger log)
    {
        _database = database;
        _recent = recent;
        _clock = clock;
        _log = log;
        _watch = new AppendWatch(database, clock, log);
        _loop = Task.Run(RunAsync);
    }

    public async Task<AppendOutcome> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        // What takes time is done here, by each caller for itself.
        var pending = new PendingAppend(request, request.Events.Select(PreparedEvent.Of).ToArray());
        await _waiting.Writer.WriteAsync(pending, cancellationToken);
        return await pending.Answer.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _loop;
        await _watch.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(_stopping.Token))
            {
                await AppendGroupOrFailAsync(Take());
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // What waits is told below.
        }

        while (_waiting.Reader.TryRead(out var rest))
        {
            rest.Answer.TrySetException(new OperationCanceledException("The sequencer has stopped."));
        }
    }

    private List<PendingAppend> Take()
    {
        // Half of what waits: while the database works on it, the other half's authors need not wait for them. But a
        // handful goes together, for a commit costs more than the few events in it.
        var half = (_waiting.Reader.Count + 1) / 2;
        var group = new List<PendingAppend>();
        var (events, bytes) = (0, 0L);
        while ((group.Count < half || events < Handful) && events < MaxEvents && bytes < MaxBytes
            && _waiting.Reader.TryRead(out var pending))
        {
            group.Add(pending);
            events += pending.Request.Events.Count;
            bytes += pending.Request.Events.Sum(signed => (long)signed.Statement.Canonical.Length);
        }

        return group;
    }

    private async Task AppendGroupOrFailAsync(List<PendingAppend> group)
    {
        var all = group.ToArray();
        try
        {
            await AppendGroupAsync(group);
        }
        catch (OperationCanceledException)
        {
            Fail(all, new OperationCanceledException("The sequencer has stopped; the append may have been made."));
        }
        catch (Exception exception)
        {
            // Whoever asked is told; the loop goes on for the others.
            _versions.Clear();
            Fail(all, exception);
        }
    }

    /// <summary>Answers every request of the group.</summary>
    private async Task AppendGroupAsync(List<PendingAppend> group)
    {
        var delay = FirstDelay;
        var away = 0L;
        for (var round = 0; group.Count > 0;)
        {
            try
            {
                var plan = Plan(group);
                if (plan.Pending.Count == 0)
                {
                    return;
                }

                var appended = await SendAsync(plan);
                if (away != 0)
                {
                    Log.AppendsGoOn(_log, _clock.GetElapsedTime(away).TotalSeconds);
                    (away, delay) = (0, FirstDelay);
                }

                group.RemoveAll(pending => pending.Answer.Task.IsCompleted);
                if (!appended)
                {
                    // Rounds in which the database was away do not count: nobody disagreed in them.
                    GiveUpAfter(++round, group);
                }
            }
            catch (Exception exception) when (DatabaseFault.IsPassing(exception) && !_stopping.IsCancellationRequested)
            {
                away = away == 0 ? _clock.GetTimestamp() : away;
                Log.AppendPostponed(_log, DatabaseFault.Explain(exception), delay.TotalMilliseconds);
                _versions.Clear();
                if (exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction })
                {
                    // A session stays read-only when its database no longer is.
                    _database.Clear();
                }

                await Task.Delay(delay, _clock, _stopping.Token);
                delay = delay * 2 < LastDelay ? delay * 2 : LastDelay;
            }
            catch (PostgresException exception) when (DatabaseFault.IsLostRace(exception, alone: group.Count == 1))
            {
                _versions.Clear();
                GiveUpAfter(++round, group);
            }
            catch (PostgresException exception) when (group.Count == 1)
            {
                _versions.Clear();
                Fail(group, exception);
            }
            catch (PostgresException)
            {
                // One request spoils the others: each goes alone.
                _versions.Clear();
                foreach (var pending in group.ToArray())
                {
                    await AppendGroupAsync([pending]);
                }
            }

            group.RemoveAll(pending => pending.Answer.Task.IsCompleted);
        }
    }

    private static void GiveUpAfter(int round, List<PendingAppend> group)
    {
        if (round >= MaxRounds)
        {
            Fail(group, new InvalidOperationException(
                $"Others kept writing the same streams for {MaxRounds} rounds; nothing was appended."));
        }
    }

    /// <summary>Gives each request's events their versions, in order; leaves out and answers those in conflict with
    /// what is known, once the database has said so.</summary>
    private GroupPlan Plan(List<PendingAppend> group)
    {
        var plan = new GroupPlan();
        foreach (var pending in group)
        {
            if (pending.Answer.Task.IsCompleted)
            {
                continue;
            }

            StreamId? wrong = null;
            foreach (var (stream, expected) in pending.Request.Expected)
            {
                // Where a stream may stand further on, only the database can say whether it stands right.
                var isWrong = pending.Request.Tolerant.Contains(stream) && !plan.Touched(stream)
                    ? pending.Refused.Contains(stream)
                    : plan.VersionOf(stream, _versions, expected) != expected;
                wrong = isWrong ? stream : wrong;
            }

            if (wrong is { } conflict)
            {
                if (pending.Confirmed || plan.Touched(conflict))
                {
                    Conflict(pending, conflict, plan);
                }
                else
                {
                    // What this process remembers may be old, or the append may have been made before: ask.
                    pending.Confirmed = true;
                    _versions.Remove(conflict);
                    plan.Add(pending);
                }

                continue;
            }

            plan.Add(pending);
        }

        return plan;
    }

    private void Conflict(PendingAppend pending, StreamId stream, GroupPlan plan)
    {
        var expected = pending.Request.Expected[stream];
        pending.Answer.TrySetResult(
            new AppendOutcome.Conflict(stream, expected, plan.VersionOf(stream, _versions, expected)));
    }

    private async Task<bool> SendAsync(GroupPlan plan)
    {
        var now = _clock.GetUtcNow().ToMicroseconds();
        await using var connection = await _database.OpenConnectionAsync(_stopping.Token);
        await using var command = new NpgsqlCommand(
            "SELECT outcome, detail, number FROM ml_append($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)",
            connection);
        plan.Fill(command.Parameters, now);
        long? first = null;
        var duplicates = new Dictionary<Guid, long>();
        var refused = new HashSet<StreamId>();
        _watch.Begin(connection.ProcessID);
        try
        {
            await using var reader = await command.ExecuteReaderAsync(_stopping.Token);
            while (await reader.ReadAsync(_stopping.Token))
            {
                switch (reader.GetString(0))
                {
                    case "appended":
                        first = reader.GetInt64(2);
                        break;
                    case "base":
                        plan.Correct(StreamId.Parse(reader.GetString(1)), reader.GetInt64(2));
                        break;
                    case "version":
                        var stream = StreamId.Parse(reader.GetString(1));
                        _versions[stream] = reader.GetInt64(2);
                        refused.Add(stream);
                        break;
                    default:
                        duplicates[Guid.Parse(reader.GetString(1))] = reader.GetInt64(2);
                        break;
                }
            }
        }
        finally
        {
            _watch.End();
        }

        if (first is not { } position)
        {
            foreach (var pending in plan.Pending)
            {
                pending.Confirmed = true;
                pending.Refused.UnionWith(pending.Request.Expected.Keys.Where(refused.Contains));
            }

            await RepeatedAppends.AnswerAsync(_database, plan, duplicates, _stopping.Token);
            return false;
        }

        var recorded = plan.Record(position, now);
        plan.Remember(_versions);
        if (_versions.Count > MaxCachedVersions)
        {
            _versions.Clear();
        }

        _recent.Append(recorded);
        var at = 0;
        foreach (var pending in plan.Pending)
        {
            var count = pending.Request.Events.Count;
            pending.Answer.TrySetResult(new AppendOutcome.Appended(recorded[at..(at + count)], Before: false));
            at += count;
        }

        return true;
    }

    private static void Fail(IEnumerable<PendingAppend> group, Exception exception)
    {
        foreach (var pending in group)
        {
            pending.Answer.TrySetException(exception);
        }
    }

    internal static NpgsqlParameter Array<T>(T[] values, NpgsqlDbType type) =>
        new NpgsqlParameter<T[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type };
}
