using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.BlobReferences;

/// <summary>One row for each blob to which a job refers: stores keep those. Of the checkpoints of each of its workers only
/// the last are kept (<see cref="JobState.KeptCheckpoints"/>), and none once the job has ended.</summary>
internal sealed class BlobReferencesProjection : IProjection
{
    public string Name => "blob_references";

    public void Forget()
    {
        // A batch stands for itself, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var found = new Dictionary<Reference, long>();
        var last = new Dictionary<(string Stream, string Worker), List<Reference>>();
        var ended = new HashSet<string>();
        foreach (var recorded in events)
        {
            var (stream, body) = (recorded.Statement.Stream.ToString(), recorded.Statement.Body);
            foreach (var hash in Of(body))
            {
                found.TryAdd(new Reference(hash, stream, ""), recorded.Position);
            }

            switch (body)
            {
                case JobEvent.CheckpointRecorded checkpoint:
                    var worker = recorded.Statement.By.ToString();
                    if (!last.TryGetValue((stream, worker), out var kept))
                    {
                        last[(stream, worker)] = kept = [];
                    }

                    // A run that began again comes to the same states again.
                    var newest = new Reference(checkpoint.State, stream, worker);
                    kept.Remove(newest);
                    kept.Add(newest);
                    found[newest] = recorded.Position;
                    if (kept.Count > JobState.KeptCheckpoints)
                    {
                        found.Remove(kept[0]);
                        kept.RemoveAt(0);
                    }

                    break;
                case JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled:
                    ended.Add(stream);
                    break;
            }
        }

        foreach (var over in last.Where(one => ended.Contains(one.Key.Stream)).SelectMany(one => one.Value))
        {
            found.Remove(over);
        }

        await AddAsync(found, connection, cancellationToken);
        await ForgetAsync(last.Keys, ended, connection, cancellationToken);
    }

    private static async Task ForgetAsync(
        IReadOnlyCollection<(string Stream, string Worker)> replaced, HashSet<string> ended,
        NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (replaced.Count + ended.Count == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            """
            WITH kept AS (
                SELECT stream_id, checkpoint_of, (
                    SELECT first_position FROM blob_references r
                    WHERE (r.stream_id, r.checkpoint_of) = (s.stream_id, s.checkpoint_of)
                    ORDER BY first_position DESC OFFSET $4 - 1 LIMIT 1) AS first_position
                FROM unnest($1, $2) s (stream_id, checkpoint_of))
            DELETE FROM blob_references r
            WHERE checkpoint_of <> '' AND (stream_id = ANY ($3) OR EXISTS (
                SELECT FROM kept k
                WHERE (k.stream_id, k.checkpoint_of) = (r.stream_id, r.checkpoint_of) AND r.first_position < k.first_position))
            """,
            connection);
        command.AddColumn(replaced, one => one.Stream, NpgsqlDbType.Text);
        command.AddColumn(replaced, one => one.Worker, NpgsqlDbType.Text);
        command.AddColumn(ended, stream => stream, NpgsqlDbType.Text);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = JobState.KeptCheckpoints });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task AddAsync(
        Dictionary<Reference, long> found, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (found.Count == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            """
            INSERT INTO blob_references (hash, stream_id, checkpoint_of, first_position)
            SELECT * FROM unnest($1, $2, $3, $4)
            ON CONFLICT ON CONSTRAINT a_job_refers_to_a_blob_once
                DO UPDATE SET first_position = EXCLUDED.first_position WHERE EXCLUDED.checkpoint_of <> ''
            """,
            connection);
        command.AddColumn(found, row => row.Key.Hash.ToString(), NpgsqlDbType.Text);
        command.AddColumn(found, row => row.Key.Stream, NpgsqlDbType.Text);
        command.AddColumn(found, row => row.Key.Worker, NpgsqlDbType.Text);
        command.AddColumn(found, row => row.Value, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The blobs to which an event refers for good. Outputs that stand in the event itself are none.</summary>
    internal static IEnumerable<BlobHash> Of(LedgerEvent body) => body switch
    {
        JobEvent.Submitted submitted => DocumentBlobs.Of(submitted.Document),
        JobEvent.ReceiptIssued { Receipt: var receipt } => receipt.Outputs
            .Where(output => output.Text is null && output.Base64 is null).Select(output => output.Blake3)
            .Concat(receipt.Program is { } program ? [program] : []),
        JobEvent.PartialOutputProduced { Text: null, Base64: null } piece => [piece.Blake3],
        _ => [],
    };

    /// <param name="Worker">Whose checkpoint it is; empty: it is none.</param>
    private sealed record Reference(BlobHash Hash, string Stream, string Worker);
}
