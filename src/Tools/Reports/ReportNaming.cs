using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Queries;

namespace MeshLedger.Tools.Reports;

/// <summary>Puts beside keys what they are called.</summary>
internal static class ReportNaming
{
    public static ReportTable Add(ReportTable table, AuthorNames names)
    {
        table = Add(table, "worker", "worker_id", key => names.WorkerId(key));
        return Add(table, "owner", "name", names.Role);
    }

    private static ReportTable Add(ReportTable table, string key, string name, Func<string, string?> call)
    {
        var at = table.IndexOf(key);
        return at < 0
            ? table
            : new ReportTable(
                [.. table.Columns.Take(at), new ReportColumn(name, ReportUnit.Text), .. table.Columns.Skip(at)],
                [.. table.Rows.Select(row =>
                    (object?[])[.. row.Take(at), row[at] is string { Length: > 0 } of ? call(of) : null, .. row.Skip(at)])]);
    }
}
