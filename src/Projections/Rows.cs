using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections;

/// <summary>Columns of rows as array parameters, so that a batch of rows is one statement.</summary>
internal static class Rows
{
    public static void AddColumn<TRow, T>(
        this NpgsqlCommand command, IReadOnlyCollection<TRow> rows, Func<TRow, T> value, NpgsqlDbType type) =>
        command.Parameters.Add(new NpgsqlParameter<T[]>
        {
            TypedValue = [.. rows.Select(value)],
            NpgsqlDbType = NpgsqlDbType.Array | type,
        });
}
