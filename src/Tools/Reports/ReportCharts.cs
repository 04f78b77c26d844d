using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Reports;

/// <summary>Which figures of a report are drawn, and how.</summary>
internal static class ReportCharts
{
    /// <summary>More bars than this nobody reads: the table has all of them.</summary>
    private const int MostBars = 20;

    /// <summary>Titles, and SVG elements.</summary>
    public static IEnumerable<(string Title, string Svg)> Of(ReportQuestion question, ReportTable table)
    {
        var id = 0;
        foreach (var chart in ChartsOf(question, table).Where(chart => chart.Labels.Count > 0))
        {
            id++;
            yield return (chart.Title, IsOverTime(question)
                ? SvgChart.Columns(chart, $"chart{id}")
                : SvgChart.Bars(chart, $"chart{id}"));
        }
    }

    /// <summary>Days and hours stand beside each other, where each has one row.</summary>
    private static bool IsOverTime(ReportQuestion question) => question.Name == ReportNames.Throughput
        || (question is { Name: ReportNames.Jobs, By: ReportNames.ByDay });

    private static IEnumerable<Chart> ChartsOf(ReportQuestion question, ReportTable table)
    {
        (string Column, string Colour)[] ends =
            [("completed", "good"), ("failed", "bad"), ("cancelled", "other"), ("open", "held")];
        switch (question.Name)
        {
            case ReportNames.Jobs:
                yield return Draw(question, table, "Jobs by how they ended", ends);
                if (!IsOverTime(question))
                {
                    yield return Draw(
                        question, table, "Run time: median and 95th percentile", [("run_median_ms", "first"), ("run_p95_ms", "second")],
                        stacked: false);
                }

                break;
            case ReportNames.Workers:
                yield return Draw(
                    question, table, "Runs by how they ended",
                    [("succeeded", "good"), ("failed", "bad"), ("timed_out", "second"), ("lost", "other"), ("disagreed", "held"),
                        ("withdrawn", "none"), ("under_way", "first")]);
                yield return Draw(question, table, "Mana earned", [("earned", "first")]);
                yield return Draw(question, table, "Time spent on runs", [("busy_ms", "first")]);
                break;
            case ReportNames.Accounts:
                yield return Draw(question, table, "Mana in accounts", [("balance", "good"), ("escrow", "held")]);
                yield return Draw(question, table, "Mana that moved", [("paid", "second"), ("received", "first")], stacked: false);
                break;
            case ReportNames.Throughput:
                yield return Draw(question, table, "Events", [("events", "first")]);
                yield return Draw(
                    question, table, "Jobs that ended", [("jobs_completed", "good"), ("jobs_failed", "bad"), ("jobs_cancelled", "other")]);
                break;
            default:
                yield return Draw(
                    question, table, "Failures by error code", [("jobs_failed", "bad"), ("runs_failed", "held")], stacked: false);
                break;
        }
    }

    private static Chart Draw(
        ReportQuestion question, ReportTable table, string title, (string Column, string Colour)[] drawn, bool stacked = true)
    {
        var rows = IsOverTime(question) ? table.Rows : [.. table.Rows.Take(MostBars)];
        var columns = drawn.Select(one => (Index: table.IndexOf(one.Column), one.Colour)).ToList();
        var unit = table.Columns[columns[0].Index];
        var left = table.Rows.Count - rows.Count;

        // What never happened has no colour to be explained.
        columns = [.. columns.Where((column, i) => i == 0 || rows.Any(row => row[column.Index] is > 0L))];
        return new Chart(
            title,
            $"{title}, for {Names.Count(rows.Count, "row")} of the table below"
                + (left > 0 ? $", the first of {table.Rows.Count}." : "."),
            [.. rows.Select(row => Label(table, row))],
            [.. columns.Select(column => new ChartSeries(
                ReportText.Heading(table.Columns[column.Index]), column.Colour,
                [.. rows.Select(row => Math.Max(0, row[column.Index] as long? ?? 0))]))],
            value => ReportText.Cell(unit, value),
            stacked);
    }

    /// <summary>The texts at the row's beginning; a key only where nobody has a name for it.</summary>
    private static string Label(ReportTable table, object?[] row)
    {
        var texts = table.Columns.TakeWhile(column => column.Unit == ReportUnit.Text).Select((column, i) => (column.Name, Value: row[i] as string))
            .ToList();
        var named = texts.Any(text => text is { Name: "worker_id", Value.Length: > 0 });
        var parts = texts
            .Where(text => text is { Value.Length: > 0 } && !(named && text.Name == "worker"))
            .Select(text => text.Name is "worker" or "owner" ? Names.Short(text.Value!) : text.Value!);
        var label = string.Join(" · ", parts);
        return label.Length > 0 ? label : texts.Count == 0 ? "all" : "(none)";
    }
}
