using System.Runtime.CompilerServices;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger.Transparency;

/// <summary>An entry with its leaf hash.</summary>
internal readonly record struct LogLeaf(byte[] Entry, Digest Hash, StreamId Stream = default);

/// <summary>Entries from what the database holds beside the bodies, which entries do not have: many at once, each verified
/// to be of what its author signed. What a body says is the audit's matter.</summary>
internal sealed class EntryReader(NpgsqlDataSource database)
{
    private const int Batch = 4000;

    private readonly BatchVerifier _verifier = new();

    /// <summary>The entries after a position up to another, in order, in batches. The next is read while one is worked on.
    /// </summary>
    /// <exception cref="InvalidHistoryException">A position is missing, or is not what an author signed.</exception>
    public async IAsyncEnumerable<IReadOnlyList<LogLeaf>> ReadAsync(
        long after, long last, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reading = ReadRowsAsync(after, last, cancellationToken);
        while (after < last)
        {
            var rows = await reading;
            after += rows.Count;
            reading = ReadRowsAsync(after, last, cancellationToken);
            var leaves = new LogLeaf[rows.Count];
            Parallel.For(0, leaves.Length, i => leaves[i] = rows[i].ToLeaf(_verifier));
            yield return leaves;
        }
    }

    private async Task<List<Row>> ReadRowsAsync(long after, long last, CancellationToken cancellationToken)
    {
        var rows = new List<Row>();
        if (after >= last)
        {
            return rows;
        }

        await using var command = database.CreateCommand(
            """
            SELECT e.seq_id, e.stream_id, e.version, e.type, e.headers FROM mt_events e
            WHERE e.seq_id > $1 AND e.seq_id <= $2 ORDER BY e.seq_id
            """);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = after, NpgsqlDbType = NpgsqlDbType.Bigint });
        command.Parameters.Add(new NpgsqlParameter<long>
        {
            TypedValue = Math.Min(last, after + Batch),
            NpgsqlDbType = NpgsqlDbType.Bigint,
        });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var expected = after + rows.Count + 1;
            try
            {
                rows.Add(new Row(
                    reader.GetInt64(0), reader.GetString(1), reader.GetInt64(2), reader.GetString(3),
                    reader.GetFieldValue<byte[]>(4)));
            }
            catch (Exception exception) when (EventRow.IsOfTheValue(exception))
            {
                throw new InvalidHistoryException(
                    $"The event at position {expected} cannot be read. Run: meshledger audit", exception);
            }

            if (rows[^1].Position != expected)
            {
                throw new InvalidHistoryException(
                    $"The database has no event at position {expected}: found {rows[^1].Position}. Run: meshledger audit");
            }
        }

        return rows.Count > 0
            ? rows
            : throw new InvalidHistoryException(
                $"The database has no event at position {after + 1}, where one was. Run: meshledger audit");
    }

    private sealed record Row(long Position, string Stream, long Version, string Type, byte[] Headers)
    {
        public LogLeaf ToLeaf(BatchVerifier verifier)
        {
            try
            {
                var headers = EventHeaders.Read(Headers);
                if (!SignedEvent.IsSigned(headers.By, headers.Digest, headers.Signature, headers.Proof, verifier))
                {
                    throw new FormatException("its signature does not verify");
                }

                var entry = LogEntry.Write(
                    headers.By, headers.Digest, Position, headers.Proof, headers.Signature, StreamId.Parse(Stream), Type,
                    Version);
                return new LogLeaf(entry, MerkleTree.LeafHash(entry), StreamId.Parse(Stream));
            }
            catch (FormatException exception)
            {
                throw new InvalidHistoryException(
                    $"The event at position {Position} is not what its author signed: {exception.Message}. "
                    + "Run: meshledger audit", exception);
            }
        }
    }
}
