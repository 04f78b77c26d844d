using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Reports;

namespace MeshLedger.EndToEnd.Tests;

public sealed class ReportChartTests
{
    [Fact]
    public void A_worker_s_bar_is_as_long_as_its_runs_are_many()
    {
        string[] results = ["succeeded", "failed", "timed_out", "lost", "disagreed", "withdrawn", "under_way"];
        var table = new ReportTable(
            [
                new("worker", ReportUnit.Text), new("runs", ReportUnit.Count),
                .. results.Select(result => new ReportColumn(result, ReportUnit.Count)),
                new("earned", ReportUnit.Mana), new("busy_ms", ReportUnit.Milliseconds),
            ],
            [["did:key:z6Mk", 127L, .. results.Select((_, i) => (object?)(1L << i)), 5L, 7L]]);
        var (_, svg) = ReportCharts.Of(new ReportQuestion(ReportNames.Workers, null, null, null), table).First();
        Assert.Contains(">127</text>", svg, StringComparison.Ordinal);

        // One colour each.
        var colours = System.Text.RegularExpressions.Regex.Matches(svg, "<rect class=\"([a-z]+)\" x=\"[0-9]+\" y=\"4\"")
            .Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(results.Length, colours.Distinct().Count());
        Assert.Equal(results.Length, colours.Count);
    }
}
