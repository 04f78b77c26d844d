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
            "SELECT seq_id, version, timestamp, headers ->> 'digest' FROM mt_events WHERE seq_id = ANY ($1)");
        command.Parameters.Add(Sequencer.Array(
            events.Select(signed => positions[signed.Statement.Id.Value]).ToArray(), NpgsqlDbType.Bigint));
        var rows = new Dictionary<long, (long Version, DateTimeOffset At, string Digest)>();
        try
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows[reader.GetInt64(0)] =
                    (reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2), reader.GetString(3));
            }
        }
        catch (Exception exception) when (EventRow.IsOfTheValue(exception))
        {
            throw new InvalidHistoryException(
                $"An event that was appended before cannot be read: {exception.Message} Run: meshledger audit");
        }

        var recorded = new List<RecordedEvent>();
        foreach (var signed in events)
        {
            var position = positions[signed.Statement.Id.Value];
            if (!rows.TryGetValue(position, out var row))
            {
                throw new InvalidHistoryException(
                    $"The event {signed.Statement.Id} was appended at position {position}, but is gone. "
                    + "Run: meshledger audit");
            }

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
