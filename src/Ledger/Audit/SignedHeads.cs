using System.Text;
using MeshLedger.Crypto;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>Tree heads that the database keeps.</summary>
public static class SignedHeads
{
    /// <summary>The head of a size; null if none was signed.</summary>
    /// <param name="origin">Of the log; null: of whichever log has one.</param>
    public static async Task<EarlierHead?> FindAsync(
        NpgsqlDataSource database, long size, string? origin, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            SELECT note FROM ml_log_heads
            WHERE size = $1 AND (origin = $2 OR $2 = '') AND octet_length(note) <= 1048576 ORDER BY origin LIMIT 1
            """);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = size });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = origin ?? "" });
        return await command.ExecuteScalarAsync(cancellationToken) is string text
            && SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out var note) && TreeHead.TryParse(note!.Text, out var head)
            && head.Size == size
                ? new EarlierHead($"the tree head of size {size} in ml_log_heads", size, head.Root)
                : null;
    }
}
