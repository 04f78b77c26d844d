using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>Presence in the table <c>ml_presence</c>: a row a party, its time by the database's clock.</summary>
public sealed class PostgresPresence(NpgsqlDataSource database) : IPresence
{
    /// <inheritdoc/>
    public async Task<PresentParties> AnnounceAsync(
        Did node, string? blobs, IReadOnlyCollection<WorkerPresence> workers, TimeSpan limit, CancellationToken cancellationToken)
    {
        string[] keys = [node.ToString(), .. workers.Select(worker => worker.Worker.ToString())];
        string[] kinds = ["node", .. workers.Select(_ => "worker")];
        string?[] addresses = [blobs, .. workers.Select(_ => (string?)null)];
        string[] registrations = ["", .. workers.Select(worker => worker.Registration.ToString())];
        await using (var command = database.CreateCommand(
            """
            INSERT INTO ml_presence (key, kind, node, seen, detail)
                SELECT p.key, p.kind, $4, now(), jsonb_build_object('registration', p.registration, 'blobs', p.blobs)
                FROM unnest($1, $2, $3, $5) AS p (key, kind, registration, blobs)
                ON CONFLICT (key) DO UPDATE SET node = excluded.node, seen = excluded.seen, detail = excluded.detail
            """))
        {
            command.Parameters.Add(Sequencer.Array(keys, NpgsqlDbType.Text));
            command.Parameters.Add(Sequencer.Array(kinds, NpgsqlDbType.Text));
            command.Parameters.Add(Sequencer.Array(registrations, NpgsqlDbType.Text));
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = node.ToString() });
            command.Parameters.Add(Sequencer.Array(addresses, NpgsqlDbType.Text));
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        await using (var gone = database.CreateCommand(
            "DELETE FROM ml_presence WHERE node = $1 AND kind = 'worker' AND key <> ALL ($2)"))
        {
            gone.Parameters.Add(new NpgsqlParameter<string> { TypedValue = node.ToString() });
            gone.Parameters.Add(Sequencer.Array(keys, NpgsqlDbType.Text));
            await gone.ExecuteNonQueryAsync(cancellationToken);
        }

        return await ListAsync(limit, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<PresentParties> ListAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            SELECT key, kind, coalesce(detail ->> 'registration', ''), node, detail ->> 'blobs' FROM ml_presence
            WHERE seen BETWEEN now() - $1 AND now() + $1
            """);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var nodes = new HashSet<Did>();
        var served = new Dictionary<Did, string>();
        var workers = new List<WorkerPresence>();
        while (await reader.ReadAsync(cancellationToken))
        {
            // Whatever else stands there, another program wrote it.
            if (!Did.TryParse(reader.GetString(0), out var key))
            {
                continue;
            }

            if (reader.GetString(1) == "node")
            {
                nodes.Add(key);
                if (!reader.IsDBNull(4))
                {
                    served[key] = reader.GetString(4);
                }
            }
            else if (Digest.TryParse(reader.GetString(2), out var registration)
                && Did.TryParse(reader.GetString(3), out var node))
            {
                workers.Add(new WorkerPresence(key, registration, node));
            }
        }

        return new PresentParties(nodes, workers) { Blobs = served };
    }

    /// <inheritdoc/>
    public async Task LeaveAsync(Did node, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("DELETE FROM ml_presence WHERE node = $1");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = node.ToString() });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
