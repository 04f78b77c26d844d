using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>Answers requests whose events the log holds already: of an append whose answer was lost.</summary>
internal static class RepeatedAppends
{
    /// <summary>A request whose events are all in the log already was appended by an earlier call whose answer got
    /// lost: it is told so. One of which some are there was never one append: it is refused.</summary>
    public static async Task AnswerAsync(
        NpgsqlDataSource database, GroupPlan plan, Dictionary<Guid, long> duplicates, CancellationToken cancellationToken)
    {
        if (duplicates.Count == 0)
        {
            return;
        }

        foreach (var pending in plan.Pending)
        {
            var events = pending.Request.Events;
            var there = events.Count(signed => duplicates.ContainsKey(signed.Statement.Id.Value));
            if (there == events.Count)
            {
                pending.Answer.TrySetResult(await ReadBackAsync(database, events, duplicates, cancellationToken));
            }
            else if (there > 0)
            {
                pending.Answer.TrySetResult(new AppendOutcome.Rejected(new Refusal(
                    "EVENT_ID_TAKEN", "some of these events are in the log already, in another append")));
            }
        }
    }

    private static async Task<AppendOutcome> ReadBackAsync(
        NpgsqlDataSource database, IReadOnlyList<SignedEvent> events, Dictionary<Guid, long> positions,
        CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT seq_id, stream_id, version, timestamp, headers ->> 'digest' FROM mt_events WHERE seq_id = ANY ($1)");
        command.Parameters.Add(Sequencer.Array(
            events.Select(signed => positions[signed.Statement.Id.Value]).ToArray(), NpgsqlDbType.Bigint));
        var rows = new Dictionary<long, (string Stream, long Version, DateTimeOffset At, string Digest)>();
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                rows[reader.GetInt64(0)] = (
                    reader.GetString(1), reader.GetInt64(2), reader.GetFieldValue<DateTimeOffset>(3), reader.GetString(4));
            }
        }

        var recorded = new List<RecordedEvent>();
        foreach (var signed in events)
        {
            var position = positions[signed.Statement.Id.Value];
            var row = rows[position];
            if (row.Digest != signed.Digest.ToString())
            {
                return new AppendOutcome.Rejected(new Refusal(
                    "EVENT_ID_TAKEN", $"event id {signed.Statement.Id} stands for another event, at position {position}"));
            }

            recorded.Add(new RecordedEvent(signed, position, row.Version, row.At));
        }

        return new AppendOutcome.Appended(recorded, Before: true);
    }
}
