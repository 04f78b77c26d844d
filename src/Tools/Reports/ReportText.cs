using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Jobs;

namespace MeshLedger.Tools.Reports;

/// <summary>A report's figures as people read them, and as programs do.</summary>
internal static class ReportText
{
    private const int MessageLength = 60;

    /// <summary>Of JSON and CSV: numbers as they are, in the unit that the name ends with.</summary>
    public static JsonObject Row(ReportTable table, object?[] row)
    {
        var json = new JsonObject();
        for (var i = 0; i < row.Length; i++)
        {
            json[table.Columns[i].Name] = row[i] switch
            {
                null => null,
                long number => JsonValue.Create(number),
                DateTimeOffset time => JsonValue.Create(Timestamps.Write(time)),
                var text => JsonValue.Create(text.ToString()),
            };
        }

        return json;
    }

    public static IReadOnlyList<Column> Columns(ReportTable table) =>
    [
        .. table.Columns.Select((column, i) => new Column(
            Heading(column).ToUpperInvariant(), row => Cell(table, column, row[column.Name]), IsRight(column),
            Free: column.Name == "last_message")),
    ];

    /// <summary>Such as <c>run p95</c> of <c>run_p95_ms</c>: the figure says its unit.</summary>
    public static string Heading(ReportColumn column) => column.Unit switch
    {
        ReportUnit.Milliseconds when column.Name.EndsWith("_ms", StringComparison.Ordinal) => column.Name[..^3],
        ReportUnit.BasisPoints when column.Name.EndsWith("_bp", StringComparison.Ordinal) => column.Name[..^3],
        _ => column.Name,
    } is var name ? name.Replace('_', ' ') : "";

    public static bool IsRight(ReportColumn column) => column.Unit is not (ReportUnit.Text or ReportUnit.Time);

    public static string Cell(ReportColumn column, object? value) => value switch
    {
        null => "",
        long number => column.Unit switch
        {
            ReportUnit.Milliseconds when number < 1000 => $"{number} ms",
            ReportUnit.Milliseconds => JobEventText.Length(TimeSpan.FromMilliseconds(number)),
            ReportUnit.BasisPoints => string.Create(CultureInfo.InvariantCulture, $"{number / 100m:0.0} %"),
            _ => number.ToString(CultureInfo.InvariantCulture),
        },
        DateTimeOffset time => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        var text => text.ToString()!,
    };

    private static string Cell(ReportTable table, ReportColumn column, JsonNode? node) => node switch
    {
        null => "",
        JsonValue value when value.TryGetValue<long>(out var number) => Cell(column, number),
        _ when column.Unit == ReportUnit.Time && Timestamps.TryRead(node.ToString(), out var time) => Cell(column, time),
        _ when column.Name is "worker" or "owner" => Names.Short(node.ToString()),
        _ => SafeText.Cut(SafeText.Line(node.ToString()), table.Columns[^1] == column ? MessageLength : int.MaxValue),
    };
}
