using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Ledger.Audit;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger audit</c>: checks the whole ledger from its rows, offline too.</summary>
internal static class AuditCommand
{
    public static Command Create() => new Verb(
        "audit",
        "Check every digest, signature, cause, transition and balance of the ledger from its rows alone. Works while the "
        + "node is down, too. Exit code 4 and a line for each fault if something is not as it must be.",
        "meshledger audit", "meshledger audit --output json").Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var progress = Console.IsErrorRedirected ? null : new Progress();
        var report = await LedgerAudit.RunAsync(ledger.Database, progress, call.Stop);
        progress?.End();
        var json = new JsonObject
        {
            ["clean"] = report.IsClean,
            ["events"] = report.Events,
            ["streams"] = report.Streams,
            ["signatures"] = report.Signatures,
            ["head"] = report.Head,
            ["founder"] = report.Founder?.ToString(),
            ["granted"] = report.Granted,
            ["balances"] = report.Balances,
            ["escrow"] = report.Escrow,
            ["duration_ms"] = (long)report.Duration.TotalMilliseconds,
            ["fault_count"] = report.FaultCount,
            ["faults"] = new JsonArray([.. report.Faults.Select(fault => new JsonObject
            {
                ["kind"] = fault.Kind,
                ["stream"] = fault.Stream,
                ["version"] = fault.Version,
                ["position"] = fault.Position,
                ["reason"] = fault.Reason,
            })]),
        };
        call.Output.Object(json, () => Write(call.Output, report));
        return report.IsClean ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    private static void Write(Output output, AuditReport report)
    {
        foreach (var fault in report.Faults)
        {
            output.Line($"FAULT {fault.Kind}: stream {fault.Stream}, version {fault.Version}, position "
                + $"{fault.Position}: {fault.Reason}");
        }

        output.Line($"{report.Events} events in {report.Streams} streams, {report.Signatures} signatures, up to position "
            + $"{report.Head}, in {report.Duration.TotalSeconds:0.00} s.");
        output.Line($"Mana: {report.Granted} granted = {report.Balances} in balances + {report.Escrow} in escrow.");
        output.Line($"Founder: {report.Founder?.ToString() ?? "(the ledger is empty)"}");
        output.Line(report.IsClean ? "Audit: clean." : $"Audit: {Names.Count(report.FaultCount, "fault")}.");
    }

    /// <summary>One line that counts, on a terminal.</summary>
    private sealed class Progress : IProgress<AuditProgress>
    {
        private long _shown = -1;

        public void Report(AuditProgress value)
        {
            var percent = value.Total == 0 ? 100 : value.Done * 100 / value.Total;
            if (percent != _shown)
            {
                _shown = percent;
                Console.Error.Write($"\raudited {value.Done} of {value.Total} events ({percent} %)");
            }
        }

        public void End()
        {
            if (_shown >= 0)
            {
                Console.Error.WriteLine();
            }
        }
    }
}
