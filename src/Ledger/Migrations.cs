using System.Reflection;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Ledger;

/// <summary>
/// Brings a database to this version's schema: the files of schemas/postgres in the order of their names, each once,
/// forward only. Nodes that start together wait for each other.
/// </summary>
public static class Migrations
{
    /// <exception cref="InvalidOperationException">The database was migrated by a later version, or a migration that
    /// was applied is not the one that this version has; says which.</exception>
    public static async Task ApplyAsync(NpgsqlDataSource database, ILogger log, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await RunAsync(
            connection,
            """
            SELECT pg_advisory_xact_lock(7310579631243879526);
            SET LOCAL client_min_messages = warning;
            CREATE TABLE IF NOT EXISTS ml_migrations (
                name text NOT NULL, sha256 text NOT NULL, applied timestamptz NOT NULL DEFAULT now(),
                CONSTRAINT a_migration_is_applied_once PRIMARY KEY (name));
            """,
            cancellationToken);
        var applied = await AppliedAsync(connection, cancellationToken);
        foreach (var (name, sql) in Scripts())
        {
            var digest = Digest.OfBytes(System.Text.Encoding.UTF8.GetBytes(sql)).ToString();
            if (applied.Remove(name, out var known))
            {
                if (known != digest)
                {
                    throw new InvalidOperationException(
                        $"Migration {name} was applied to this database with other contents: it belongs to another "
                        + "version of MeshLedger. Use that version, or another database.");
                }

                continue;
            }

            await RunAsync(connection, sql, cancellationToken);
            await using var record = new NpgsqlCommand("INSERT INTO ml_migrations (name, sha256) VALUES ($1, $2)", connection);
            record.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
            record.Parameters.Add(new NpgsqlParameter<string> { TypedValue = digest });
            await record.ExecuteNonQueryAsync(cancellationToken);
            Log.Migrated(log, name);
        }

        if (applied.Count > 0)
        {
            throw new InvalidOperationException(
                $"The database has migrations that this version does not know ({string.Join(", ", applied.Keys)}): "
                + "a later version of MeshLedger uses it. Use that version.");
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private static IEnumerable<(string Name, string Sql)> Scripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return (name, reader.ReadToEnd());
        }
    }

    private static async Task<Dictionary<string, string>> AppliedAsync(
        NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var applied = new Dictionary<string, string>(StringComparer.Ordinal);
        await using var command = new NpgsqlCommand("SELECT name, sha256 FROM ml_migrations ORDER BY name", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            applied.Add(reader.GetString(0), reader.GetString(1));
        }

        return applied;
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
