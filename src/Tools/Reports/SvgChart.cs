using System.Globalization;
using System.Text;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Reports;

/// <summary>A row of figures of one colour.</summary>
/// <param name="Colour">A class of the page's style: <c>good</c>, <c>bad</c>, <c>held</c>, <c>other</c>, <c>first</c>,
/// <c>second</c>.</param>
internal sealed record ChartSeries(string Name, string Colour, IReadOnlyList<long> Values);

/// <summary>A chart to be drawn: series, a value each for every label.</summary>
/// <param name="Show">How a value is written.</param>
/// <param name="IsStacked">True if a label's values add up to a whole; otherwise they stand below each other.</param>
internal sealed record Chart(
    string Title, string Description, IReadOnlyList<string> Labels, IReadOnlyList<ChartSeries> Series, Func<long, string> Show,
    bool IsStacked = true);

/// <summary>Charts as SVG elements of an HTML page, well-formed as XML: no script, no style of their own but classes, and a
/// title and a description for those who cannot see them.</summary>
internal sealed class SvgChart
{
    private const int Width = 900;
    private const int LabelWidth = 250;
    private const int ValueWidth = 110;
    private const int LabelLength = 30;
    private const int PlotHeight = 220;
    private const int AxisWidth = 70;

    private readonly StringBuilder _svg = new();

    public static string Text(string? text) => System.Net.WebUtility.HtmlEncode(SafeText.Line(text));

    /// <summary>A bar for each label, from left to right, the labels below each other.</summary>
    public static string Bars(Chart chart, string id)
    {
        var rows = chart.IsStacked ? 1 : chart.Series.Count;
        var (bar, gap) = (chart.IsStacked ? 18 : 12, 12);
        var step = (rows * bar) + gap;
        var top = LegendHeight(chart);
        var most = Math.Max(1, Enumerable.Range(0, chart.Labels.Count).Max(i => chart.IsStacked
            ? chart.Series.Sum(series => series.Values[i])
            : chart.Series.Max(series => series.Values[i])));
        var svg = new SvgChart();
        svg.Begin(chart, id, top + (chart.Labels.Count * step));
        for (var i = 0; i < chart.Labels.Count; i++)
        {
            var y = top + (i * step) + (gap / 2);
            svg.Line($"""<text class="label" x="{LabelWidth - 10}" y="{y + (rows * bar / 2) + 4}" text-anchor="end">{Text(SafeText.Cut(chart.Labels[i], LabelLength))}</text>""");
            var (x, total) = ((double)LabelWidth, 0L);
            for (var s = 0; s < chart.Series.Count; s++)
            {
                var value = chart.Series[s].Values[i];
                var width = (Width - LabelWidth - ValueWidth) * (value / (double)most);
                if (chart.IsStacked)
                {
                    svg.Bar(chart, chart.Series[s], i, x, y, width, bar);
                    (x, total) = (x + width, total + value);
                    continue;
                }

                svg.Bar(chart, chart.Series[s], i, LabelWidth, y + (s * bar), width, bar - 2);
                svg.Line($"""<text class="value" x="{N(LabelWidth + width + 6)}" y="{y + (s * bar) + bar - 3}">{Text(chart.Show(value))}</text>""");
            }

            if (chart.IsStacked)
            {
                svg.Line($"""<text class="value" x="{N(x + 6)}" y="{y + bar - 5}">{Text(chart.Show(total))}</text>""");
            }
        }

        return svg.End();
    }

    /// <summary>A column for each label, from the bottom up, the labels beside each other: for what happened in time.</summary>
    public static string Columns(Chart chart, string id)
    {
        var top = LegendHeight(chart) + 10;
        var count = chart.Labels.Count;
        var most = Math.Max(1, Enumerable.Range(0, count).Max(i => chart.Series.Sum(series => series.Values[i])));
        var tick = Tick(most);
        var ceiling = (most + tick - 1) / tick * tick;
        var step = (Width - AxisWidth - 10) / (double)count;
        var width = Math.Max(step - (step > 6 ? 3 : 0), 0.5);
        width = Math.Min(width, 60);
        var svg = new SvgChart();
        svg.Begin(chart, id, top + PlotHeight + 34);
        for (var value = 0L; value <= ceiling; value += tick)
        {
            var y = N(top + PlotHeight - (PlotHeight * (value / (double)ceiling)));
            svg.Line($"""<line class="{(value == 0 ? "axis" : "grid")}" x1="{AxisWidth}" x2="{Width - 10}" y1="{y}" y2="{y}" />""");
            svg.Line($"""<text class="value" x="{AxisWidth - 8}" y="{y}" dy="4" text-anchor="end">{Text(chart.Show(value))}</text>""");
        }

        var every = Math.Max(1, (int)Math.Ceiling(count / 8.0));
        for (var i = 0; i < count; i++)
        {
            var x = AxisWidth + (i * step) + ((step - width) / 2);
            var y = (double)(top + PlotHeight);
            foreach (var series in chart.Series)
            {
                var height = PlotHeight * (series.Values[i] / (double)ceiling);
                y -= height;
                svg.Bar(chart, series, i, x, y, width, height);
            }

            if (i % every == 0)
            {
                svg.Line($"""<text class="label" x="{N(x + (width / 2))}" y="{top + PlotHeight + 20}" text-anchor="middle">{Text(chart.Labels[i])}</text>""");
            }
        }

        return svg.End();
    }

    private static int LegendHeight(Chart chart) => chart.Series.Count > 1 ? 34 : 6;

    /// <summary>A step of 1, 2 or 5 times a power of ten, so that some five of them reach the top.</summary>
    private static long Tick(long most)
    {
        var power = (long)Math.Pow(10, Math.Floor(Math.Log10(Math.Max(1, most / 5.0))));
        return new[] { 1L, 2, 5, 10 }.Select(step => step * power).First(step => step * 5 >= most);
    }

    private void Begin(Chart chart, string id, int height)
    {
        Line($"""<svg class="chart" role="img" aria-labelledby="{id}-title {id}-desc" viewBox="0 0 {Width} {height}" width="{Width}" height="{height}" preserveAspectRatio="xMinYMin meet">""");
        Line($"""<title id="{id}-title">{Text(chart.Title)}</title>""");
        Line($"""<desc id="{id}-desc">{Text(chart.Description)}</desc>""");
        if (chart.Series.Count < 2)
        {
            return;
        }

        var x = 0;
        foreach (var series in chart.Series)
        {
            Line($"""<rect class="{series.Colour}" x="{x}" y="4" width="12" height="12" rx="2" />""");
            Line($"""<text class="legend" x="{x + 18}" y="14">{Text(series.Name)}</text>""");
            x += 44 + (series.Name.Length * 8);
        }
    }

    private void Bar(Chart chart, ChartSeries series, int label, double x, double y, double width, double height)
    {
        if (series.Values[label] > 0)
        {
            Line($"""<rect class="{series.Colour}" x="{N(x)}" y="{N(y)}" width="{N(width)}" height="{N(height)}"><title>{Text($"{chart.Labels[label]}: {series.Name} {chart.Show(series.Values[label])}")}</title></rect>""");
        }
    }

    private string End()
    {
        Line("</svg>");
        return _svg.ToString();
    }

    private void Line(string text) => _svg.Append(text).Append('\n');

    private static string N(double number) => number.ToString("0.##", CultureInfo.InvariantCulture);
}
