using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.Reports;

namespace MeshLedger.Tools.Reports;

/// <summary>
/// A report as one HTML file that needs no other: charts drawn here, the table below them, a style of its own. Its policy
/// allows that style, by its hash, and nothing else: no script, whatever a document may have said. All that comes from
/// the ledger is made harmless as for a terminal, then escaped. The file is XML, too, so that anyone can check that.
/// </summary>
internal static class ReportPage
{
    private const string Style =
        """

        :root { color-scheme: light dark; --ink: #1c2733; --soft: #5b6b7b; --paper: #ffffff; --panel: #f4f6f8; --line: #d5dce3;
            --good: #1b8a5a; --bad: #c7402d; --held: #c58a00; --other: #8793a0; --first: #2468b2; --second: #7d4fb0;
            --none: #c4ccd4; }
        @media (prefers-color-scheme: dark) {
            :root { --ink: #e4eaf0; --soft: #9aa8b6; --paper: #12181f; --panel: #1a222b; --line: #33404d;
                --good: #3fb27f; --bad: #ea6f5c; --held: #dfa92f; --other: #73808d; --first: #5b9fe6; --second: #ae86dd;
                --none: #465361; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 980px; padding: 2rem 1.5rem 3rem; background: var(--paper); color: var(--ink);
            font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
        h1 { margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.2; }
        h2 { margin: 2.2rem 0 .6rem; font-size: 1.1rem; }
        p.facts { margin: 0; color: var(--soft); }
        dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: .8rem; margin: 1.6rem 0 0; }
        dl.figures div { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; }
        dl.figures dt { color: var(--soft); font-size: .82rem; }
        dl.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
        figure { margin: 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
        svg.chart { display: block; max-width: 100%; height: auto; }
        svg text { fill: var(--ink); font-size: 12.5px; font-family: inherit; }
        svg text.label, svg text.legend { fill: var(--soft); }
        svg text.value { font-variant-numeric: tabular-nums; }
        svg line.grid { stroke: var(--line); } svg line.axis { stroke: var(--soft); }
        .good { fill: var(--good); } .bad { fill: var(--bad); } .held { fill: var(--held); } .other { fill: var(--other); }
        .first { fill: var(--first); } .second { fill: var(--second); } .none { fill: var(--none); }
        div.table { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
        table { border-collapse: collapse; width: 100%; font-size: .88rem; }
        caption { text-align: left; padding: .6rem .8rem; color: var(--soft); }
        th, td { padding: .4rem .8rem; text-align: left; border-top: 1px solid var(--line); vertical-align: top; }
        th { background: var(--panel); white-space: nowrap; }
        td.text { overflow-wrap: anywhere; min-width: 7rem; }
        th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
        @media print { body { max-width: none; padding: 0; } figure, div.table { break-inside: avoid; } }

        """;

    public static string Write(ReportQuestion question, ReportTable table, long position, DateTimeOffset at)
    {
        var title = $"{char.ToUpperInvariant(question.Name[0])}{question.Name[1..]}{(question.By is { } by ? $" by {by}" : "")}";
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8" />
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{{hash}}'; base-uri 'none'; form-action 'none'" />
            <meta name="referrer" content="no-referrer" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <title>MeshLedger report: {{SvgChart.Text(title)}}</title>
            <style>{{Style}}</style>
            </head>
            <body>
            <main>
            <h1>{{SvgChart.Text(title)}}</h1>
            <p class="facts">{{SvgChart.Text(Range(question))}} As of position {{position}} of the ledger, {{Timestamps.Write(at)[..19]}}Z.</p>

            """);
        WriteFigures(page, table);
        foreach (var (heading, svg) in ReportCharts.Of(question, table))
        {
            page.Append("<h2>").Append(SvgChart.Text(heading)).Append("</h2>\n<figure>\n").Append(svg).Append("</figure>\n");
        }

        WriteTable(page, table);
        page.Append(
            """
            </main>
            <footer>Made from the read models of a MeshLedger ledger: derived from its signed events, and no proof by themselves.
            Times are UTC, by the clocks of those who signed; what a run took is what its worker says.</footer>
            </body>
            </html>

            """);
        return page.ToString();
    }

    private static string Range(ReportQuestion question) => (question.From, question.To) switch
    {
        ({ } from, { } to) => $"From {Timestamps.Write(from)[..19]}Z to {Timestamps.Write(to)[..19]}Z.",
        ({ } from, null) => $"From {Timestamps.Write(from)[..19]}Z on.",
        (null, { } to) => $"Before {Timestamps.Write(to)[..19]}Z.",
        _ => "",
    };

    /// <summary>The totals of what can be added up.</summary>
    private static void WriteFigures(StringBuilder page, ReportTable table)
    {
        var figures = table.Columns.Select((column, i) => (Column: column, Index: i))
            .Where(one => one.Column.Unit is ReportUnit.Count or ReportUnit.Mana).Take(6)
            .Select(one => (Name: ReportText.Heading(one.Column), Total: table.Rows.Sum(row => row[one.Index] as long? ?? 0)))
            .ToList();
        if (table.Rows.Count == 0 || figures.Count == 0)
        {
            return;
        }

        page.Append("<dl class=\"figures\">\n");
        foreach (var (name, total) in figures)
        {
            page.Append(CultureInfo.InvariantCulture, $"<div><dt>{SvgChart.Text(name)}</dt><dd>{total:N0}</dd></div>\n");
        }

        page.Append("</dl>\n");
    }

    private static void WriteTable(StringBuilder page, ReportTable table)
    {
        page.Append("<h2>Figures</h2>\n");
        if (table.Rows.Count == 0)
        {
            page.Append("<p>There is nothing to report.</p>\n");
            return;
        }

        page.Append(CultureInfo.InvariantCulture, $"<div class=\"table\">\n<table>\n<caption>{Cli.Names.Count(table.Rows.Count, "row")}</caption>\n<thead>\n<tr>");
        foreach (var column in table.Columns)
        {
            var kind = ReportText.IsRight(column) ? "number" : "text";
            page.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\" class=\"{kind}\">{SvgChart.Text(ReportText.Heading(column))}</th>");
        }

        page.Append("</tr>\n</thead>\n<tbody>\n");
        foreach (var row in table.Rows)
        {
            page.Append("<tr>");
            for (var i = 0; i < row.Length; i++)
            {
                var kind = ReportText.IsRight(table.Columns[i]) ? "number" : "text";
                page.Append(CultureInfo.InvariantCulture, $"<td class=\"{kind}\">{SvgChart.Text(ReportText.Cell(table.Columns[i], row[i]))}</td>");
            }

            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table>\n</div>\n");
    }
}
