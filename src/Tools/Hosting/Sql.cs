using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Tools.Cli;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Tools.Hosting;

/// <summary>Rows of read models as the objects that are shown; members have the columns' names.</summary>
internal static class Sql
{
    public static async Task<List<JsonObject>> RowsAsync(
        NpgsqlDataSource database, string sql, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter switch
            {
                long number => new NpgsqlParameter<long> { TypedValue = number },
                string[] list => new NpgsqlParameter<string[]> { TypedValue = list },
                _ => new NpgsqlParameter { Value = parameter ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
            });
        }

        var rows = new List<JsonObject>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var row = new JsonObject();
            for (var i = 0; i < reader.FieldCount; i++)
            {
                row[reader.GetName(i)] = reader.IsDBNull(i) ? null : reader.GetValue(i) switch
                {
                    long number => JsonValue.Create(number),
                    int number => JsonValue.Create(number),
                    bool flag => JsonValue.Create(flag),
                    string[] list => Names.List(list),
                    DateTime time => JsonValue.Create(Timestamps.Write(new DateTimeOffset(time))),
                    var other => JsonValue.Create(other.ToString()),
                };
            }

            rows.Add(row);
        }

        return rows;
    }
}
