using System.Runtime.CompilerServices;
using System.Text;
using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The tree heads of one log in the database, which all nodes that publish it share.</summary>
internal sealed class HeadsTable(NpgsqlDataSource database, LogKeyring ring)
{
    /// <summary>Adds a head. Returns once it is durable.</summary>
    /// <returns>False if there is one of its size or larger: another node was faster, and nothing was added.</returns>
    public async Task<bool> AddAsync(SignedHead head, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var turn = new NpgsqlCommand("SELECT pg_advisory_xact_lock(7310579631243879528)", connection))
        {
            await turn.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var insert = new NpgsqlCommand(
            """
            INSERT INTO ml_log_heads (origin, size, note, signed_at)
                SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM ml_log_heads WHERE origin = $1 AND size >= $2)
            """,
            connection);
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = ring.Keys.Origin });
        insert.Parameters.Add(new NpgsqlParameter<long> { TypedValue = head.Head.Size });
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = head.Note.ToString() });
        insert.Parameters.Add(new NpgsqlParameter<DateTime>
        {
            TypedValue = head.At.UtcDateTime,
            NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.TimestampTz,
        });
        var added = await insert.ExecuteNonQueryAsync(cancellationToken) == 1;
        await transaction.CommitAsync(cancellationToken);
        return added;
    }

    /// <summary>The largest head; null if there is none.</summary>
    public async Task<SignedHead?> LastAsync(CancellationToken cancellationToken)
    {
        await foreach (var head in ReadAsync("ORDER BY size DESC LIMIT 1", 0, cancellationToken))
        {
            return head;
        }

        return null;
    }

    /// <summary>The heads of more than so many entries, smallest first.</summary>
    public IAsyncEnumerable<SignedHead> AfterAsync(long size, CancellationToken cancellationToken) =>
        ReadAsync("ORDER BY size", size, cancellationToken);

    private async IAsyncEnumerable<SignedHead> ReadAsync(
        string order, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"SELECT size, note, signed_at FROM ml_log_heads WHERE origin = $1 AND size > $2 {order}");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = ring.Keys.Origin });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = after });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var size = reader.GetInt64(0);
            var head = SignedHead.Read(
                Encoding.UTF8.GetBytes(reader.GetString(1)), reader.GetFieldValue<DateTimeOffset>(2), ring.Keys);
            yield return head?.Head.Size == size
                ? head
                : throw new InvalidHistoryException(
                    $"The tree head of size {size} in ml_log_heads was not signed by {ring.Keys.For(size)}.");
        }
    }
}
