using System.Text.Json.Nodes;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary>What <c>job show</c> shows of a metered guest, and of its checkpoints.</summary>
internal static class GuestView
{
    public static JsonObject Of(GuestAccount guest, Names names) => new()
    {
        ["fuel"] = guest.Fuel,
        ["fuel_table"] = guest.FuelTable,
        ["tier"] = guest.Tier,
        ["result"] = guest.Result,
        ["state_digest"] = guest.StateDigest?.ToString(),
        ["checkpoints"] = guest.Checkpoints,
        ["resumed_from"] = guest.ResumedFrom is { } from
            ? new JsonObject
            {
                ["attempt"] = from.Attempt,
                ["sequence"] = from.Sequence,
                ["worker"] = from.Worker.ToString(),
                ["worker_id"] = names.WorkerId(from.Worker),
                ["state"] = from.State.ToString(),
            }
            : null,
    };

    public static JsonObject Of(JobEvent.CheckpointRecorded checkpoint) => new()
    {
        ["sequence"] = checkpoint.Sequence,
        ["state"] = checkpoint.State.ToString(),
        ["size"] = checkpoint.Size,
        ["fuel"] = checkpoint.Fuel,
    };

    /// <summary>For the receipt; none where there was no such guest.</summary>
    public static IEnumerable<(string Name, string? Value)> Lines(JsonObject guest)
    {
        if (guest.Count == 0)
        {
            yield break;
        }

        yield return ("  fuel", $"{guest.Text("fuel")}, by table {guest.Text("fuel_table")}, {guest.Text("tier")}");
        yield return ("  result", guest.Text("result") is { Length: > 0 } result ? result : null);
        yield return ("  state", guest.Text("state_digest") is { Length: > 0 } state ? $"blake3 {state}" : null);
        yield return ("  checkpoints", guest.Text("checkpoints") is not "0" and var count ? count : null);
        yield return ("  resumed from", guest["resumed_from"] is JsonObject from
            ? $"checkpoint {from.Text("sequence")} of attempt {from.Text("attempt")}, by {from.Text("worker_id")}"
            : null);
    }
}
