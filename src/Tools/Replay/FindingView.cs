using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Worker;

namespace MeshLedger.Tools.Replay;

/// <summary>What was found of one receipt, as an object and as text.</summary>
internal sealed class FindingView(IssuedReceipt receipt, ReplayedJob job)
{
    /// <summary>Of a receipt with which another run proves nothing, whatever comes of it.</summary>
    public JsonObject Incomparable(Rerun rerun, string why)
    {
        var differences = RunDifference.Between(RunClaims.Of(receipt.Receipt), rerun.Claims).ToList();
        var finding = rerun.IsDeterministic ? "not_comparable" : differences.Count == 0 ? "same_outputs" : "other_outputs";
        var row = Row(finding, differences);
        row["why"] = why;
        return row;
    }

    /// <param name="by">Who says so; null: nobody.</param>
    public JsonObject Compared(RunComparison compared, Did? by, bool saidBefore, Refusal? refusal)
    {
        var row = Row(compared.IsEqual ? "verified" : "disputed", compared.Differences);
        row["metered"] = compared.Claims.Fuel is not null;
        row["checkpoints"] = compared.Checkpoints;
        row["parting"] = compared.Parting?.ToString();
        row["by"] = by?.ToString();
        row["role"] = by is { } key ? job.RoleOf(key) : null;
        row["appended"] = by is not null && !saidBefore && refusal is null;
        row["said_before"] = saidBefore;
        row["refusal"] = refusal?.ToString();
        return row;
    }

    public static void Write(Output output, JsonObject row)
    {
        var what = row.Text("finding") switch
        {
            "verified" => "VERIFIED: the receipt is right",
            "disputed" => "DISPUTED: the receipt is wrong",
            "same_outputs" => "same outputs",
            "other_outputs" => "other outputs, which proves nothing",
            _ => "not comparable",
        };
        output.Line();
        output.Line($"Receipt {Names.ShortDigest(row.Text("receipt"))} of worker {row.Text("worker_id")}, attempt "
            + $"{row.Text("attempt")}: {what}");
        if (row["why"] is not null)
        {
            output.Line($"  {row.Text("why")}");
            output.Line("  compared are exit code, error and outputs; times, memory and the machine cannot be");
        }
        else
        {
            output.Line(row.Text("metered") == "yes"
                ? "  compared were error, exit code, outputs, fuel, result, final state; found alike "
                    + Names.Count(row["checkpoints"]!.GetValue<long>(), "checkpoint")
                : "  compared were error, exit code and outputs");
        }

        foreach (var difference in ((JsonArray)row["differences"]!).OfType<JsonObject>())
        {
            output.Line($"  {difference.Text("what")}: the receipt has {difference.Text("claimed")}");
            output.Line($"  {new string(' ', difference.Text("what").Length)}  this run has {difference.Text("found")}");
        }

        if (row["parting"] is not null)
        {
            output.Line($"  the runs part {row.Text("parting")}");
        }

        if (row["refusal"] is not null)
        {
            output.Line($"  not appended: {row.Text("refusal")}");
        }
        else if (row["by"] is not null)
        {
            var when = row.Text("said_before") == "yes" ? "said before" : "signed and appended";
            output.Line($"  {when} by {row.Text("role")} {row.Text("by")}");
        }
    }

    private JsonObject Row(string finding, IEnumerable<RunDifference> differences) => new()
    {
        ["receipt"] = receipt.Digest.ToString(),
        ["worker"] = receipt.Worker.ToString(),
        ["worker_id"] = job.Names.WorkerId(receipt.Worker),
        ["attempt"] = receipt.Attempt,
        ["finding"] = finding,
        ["differences"] = new JsonArray([.. differences.Select(difference => new JsonObject
        {
            ["what"] = difference.What, ["claimed"] = difference.Claimed, ["found"] = difference.Found,
        })]),
    };
}
