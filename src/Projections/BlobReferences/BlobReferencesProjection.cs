using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.BlobReferences;

/// <summary>One row for each blob to which a job refers: stores keep those.</summary>
internal sealed class BlobReferencesProjection : IProjection
{
    private const int HashLength = 64;

    public string Name => "blob_references";

    public void Forget()
    {
        // Rows are only added, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var found = new Dictionary<(BlobHash Hash, string Stream), long>();
        foreach (var recorded in events)
        {
            foreach (var hash in Of(recorded.Statement.Body))
            {
                found.TryAdd((hash, recorded.Statement.Stream.ToString()), recorded.Position);
            }
        }

        if (found.Count == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            """
            INSERT INTO blob_references (hash, stream_id, first_position)
            SELECT * FROM unnest($1, $2, $3)
            ON CONFLICT ON CONSTRAINT a_job_refers_to_a_blob_once DO NOTHING
            """,
            connection);
        command.AddColumn(found, row => row.Key.Hash.ToString(), NpgsqlDbType.Text);
        command.AddColumn(found, row => row.Key.Stream, NpgsqlDbType.Text);
        command.AddColumn(found, row => row.Value, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The blobs to which an event refers. Outputs that stand in the event itself are none.</summary>
    internal static IEnumerable<BlobHash> Of(LedgerEvent body) => body switch
    {
        JobEvent.Submitted submitted => OfDocument(submitted.Document),
        JobEvent.ReceiptIssued { Receipt: var receipt } => receipt.Outputs
            .Where(output => output.Text is null && output.Base64 is null).Select(output => output.Blake3)
            .Concat(receipt.Program is { } program ? [program] : []),
        JobEvent.PartialOutputProduced { Text: null, Base64: null } piece => [piece.Blake3],
        JobEvent.CheckpointRecorded checkpoint => [checkpoint.State],
        _ => [],
    };

    /// <summary>Whatever the operation calls it: a text of the payload that reads as a hash is one.</summary>
    private static IEnumerable<BlobHash> OfDocument(string document)
    {
        // Most documents name no blob, and need not be read again.
        if (document.Length < HashLength)
        {
            yield break;
        }

        using var json = JsonDocument.Parse(document);
        if (!json.RootElement.TryGetProperty("payload", out var payload))
        {
            yield break;
        }

        var waiting = new Stack<JsonElement>([payload]);
        while (waiting.TryPop(out var element))
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in element.EnumerateObject())
                    {
                        waiting.Push(member.Value);
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var entry in element.EnumerateArray())
                    {
                        waiting.Push(entry);
                    }

                    break;
                case JsonValueKind.String when BlobHash.TryParse(element.GetString(), out var hash):
                    yield return hash;
                    break;
            }
        }
    }
}
