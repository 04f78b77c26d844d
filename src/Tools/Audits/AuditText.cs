using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;
using MeshLedger.Projections;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Audits;

/// <summary>What an audit found, with the read models that were compared besides.</summary>
/// <param name="Faults">Of both.</param>
/// <param name="Stream">Null: the whole ledger was audited.</param>
/// <param name="Since">The position up to which signatures were not verified again; 0: all were.</param>
internal sealed record AuditResult(
    AuditReport Report, StreamId? Stream, long Since, IReadOnlyList<ProjectionComparison> Projections,
    IReadOnlyList<AuditFault> Faults, long FaultCount)
{
    public bool IsClean => FaultCount == 0;
}

/// <summary>An audit's result as JSON, and in lines.</summary>
internal static class AuditText
{
    public static JsonObject Json(AuditResult result)
    {
        var report = result.Report;
        return new JsonObject
        {
            ["clean"] = result.IsClean,
            ["stream"] = result.Stream?.ToString(),
            ["events"] = report.Events,
            ["streams"] = report.Streams,
            ["signatures"] = report.Signatures,
            ["signatures_after"] = result.Since,
            ["selections"] = report.Selections,
            ["tree_heads"] = report.HeadsCompared,
            ["head"] = report.Head,
            ["root"] = report.Tree?.Root?.ToString(),
            ["founder"] = report.Founder?.ToString(),
            ["granted"] = report.Granted,
            ["regenerated"] = report.Regenerated,
            ["balances"] = report.IsManaKnown ? report.Balances : null,
            ["escrow"] = report.IsManaKnown ? report.Escrow : null,
            ["projections"] = new JsonArray([.. result.Projections.Select(projection => new JsonObject
            {
                ["name"] = projection.Name,
                ["position"] = projection.Position,
                ["rows"] = projection.Rows,
                ["differences"] = projection.DifferenceCount,
                ["not_compared"] = projection.NotCompared,
            })]),
            ["remarks"] = Names.List(report.Remarks),
            ["duration_ms"] = (long)report.Duration.TotalMilliseconds,
            ["fault_count"] = result.FaultCount,
            ["faults"] = new JsonArray([.. result.Faults.Select(fault => new JsonObject
            {
                ["kind"] = fault.Kind,
                ["stream"] = fault.Stream,
                ["version"] = fault.Version,
                ["position"] = fault.Position,
                ["table"] = fault.Table,
                ["key"] = fault.Key,
                ["expected"] = fault.Expected,
                ["found"] = fault.Found,
                ["reason"] = fault.Reason,
            })]),
        };
    }

    public static void Write(Output output, AuditResult result)
    {
        var report = result.Report;
        foreach (var fault in result.Faults)
        {
            // A reason that says no more than the two lines below is not said twice.
            var both = $"expected {fault.Expected}, found {fault.Found}";
            output.Line($"FAULT {fault.Kind}: {Place(fault)}{(fault.Reason == both ? "" : $": {fault.Reason}")}");
            output.Line($"  expected: {fault.Expected}");
            output.Line($"  found:    {fault.Found}");
        }

        output.Line($"{report.Events} events in {Names.Count(report.Streams, "stream")}, {report.Signatures} signatures, "
            + $"{Names.Count(report.Selections, "selection")}, {Names.Count(report.HeadsCompared, "tree head")}, up to position "
            + $"{report.Head}, in {report.Duration.TotalSeconds:0.00} s.");
        if (result.Since > 0)
        {
            output.Line($"Signatures up to position {result.Since} were not verified again: the tree head of that size vouches for "
                + "them.");
        }

        foreach (var projection in result.Projections)
        {
            output.Line($"Projection {projection.Name}: " + (projection.NotCompared is { } why
                ? $"not compared, {why}."
                : $"{projection.Rows} rows built again as of position {projection.Position}, "
                    + $"{Names.Count(projection.DifferenceCount, "difference")}."));
        }

        foreach (var remark in report.Remarks)
        {
            output.Line($"Note: {remark}");
        }

        if (result.Stream is null)
        {
            output.Line($"Mana: {report.Granted} granted + {report.Regenerated} grown"
                + (report.IsManaKnown ? $" = {report.Balances} in balances + {report.Escrow} in escrow." : "; balances are not known."));
        }

        output.Line($"Founder: {report.Founder?.ToString() ?? "(the ledger is empty)"}");
        output.Line(result.IsClean ? "Audit: clean." : $"Audit: {Names.Count(result.FaultCount, "fault")}.");
    }

    /// <summary>Where a fault is: <c>stream S, version V, position P, table T, key K</c>, as far as it has them.</summary>
    public static string Place(AuditFault fault)
    {
        List<string> place = [];
        if (fault.Stream.Length > 0 || fault.Table is null)
        {
            place.Add($"stream {fault.Stream}");
        }

        if (fault.Version != 0)
        {
            place.Add($"version {fault.Version}");
        }

        if (fault.Position != 0 || fault.Table is null)
        {
            place.Add($"position {fault.Position}");
        }

        if (fault.Table is { } table)
        {
            place.Add(fault.Key is { } key ? $"{table} ({key})" : table);
        }

        return string.Join(", ", place);
    }
}
