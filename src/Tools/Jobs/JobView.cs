using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary>One job as <c>job show</c> shows it: the object, and the text that is made of it.</summary>
internal static class JobView
{
    private const int OutputLines = 20;

    public static JsonObject Of(
        JobId job, JobState state, IReadOnlyList<ConsideredBid> considered, IReadOnlyList<string> waits, Names names)
    {
        var submission = state.Submission;
        var ended = state.Status.IsTerminal();
        return new JsonObject
        {
            ["job_id"] = job.ToString(),
            ["status"] = state.Status.Name(),
            ["operation"] = submission.Operation,
            ["attempt"] = state.Attempt,
            ["events"] = state.Version,
            ["submitter"] = state.Submitter.ToString(),
            ["transport"] = submission.Transport,
            ["document_sha256"] = submission.DocumentSha256.ToString(),
            ["worker"] = state.Assignment?.Worker.ToString(),
            ["worker_id"] = names.WorkerId(state.Assignment?.Worker),
            ["money"] = new JsonObject
            {
                ["max_price"] = submission.Terms.MaxPrice,
                ["price"] = state.Assignment?.Price,
                ["escrow"] = ended ? 0 : submission.Terms.MaxPrice,
                ["paid"] = state.Completion?.Paid ?? 0,
                ["refunded"] = state.Completion?.Refunded ?? state.Failure?.Refunded ?? 0,
            },
            ["waits"] = Names.List(waits),
            ["progress"] = state.Progress is { } progress
                ? new JsonObject
                {
                    ["phase"] = progress.Phase,
                    ["basis_points"] = progress.BasisPoints,
                    ["message"] = progress.Message,
                }
                : null,
            ["error"] = state.Failure is { Error: var error }
                ? new JsonObject
                {
                    ["code"] = error.Code,
                    ["message"] = error.Message,
                    ["phase"] = error.Phase,
                    ["recoverable"] = error.Recoverable,
                }
                : null,
            ["bids"] = new JsonArray([.. considered.Select(bid => new JsonObject
            {
                ["worker"] = bid.Worker.ToString(),
                ["worker_id"] = names.WorkerId(bid.Worker),
                ["price"] = bid.Price,
                ["won"] = bid.Worker == state.Assignment?.Worker,
                ["unmet"] = Names.List(bid.Unmet),
            })]),
            ["receipt"] = state.Receipt is { } receipt ? Receipt(state, receipt) : null,
            ["timings"] = new JsonObject
            {
                ["submitted_at"] = Timestamps.Write(state.SubmittedAt),
                ["assigned_at"] = Time(state.AssignedAt),
                ["started_at"] = Time(state.Receipt?.StartedAt ?? state.StartedAt),
                ["finished_at"] = Time(state.Receipt?.FinishedAt),
                ["settled_at"] = Time(state.EndedAt),
            },
        };
    }

    public static void Write(Output output, JsonObject job)
    {
        var (money, receipt, timings) = (Part(job, "money"), Part(job, "receipt"), Part(job, "timings"));
        var progress = Part(job, "progress");
        output.Pairs(
        [
            ("job", job.Text("job_id")),
            ("status", job.Text("status")),
            ("error", Part(job, "error") is { Count: > 0 } error
                ? $"{error.Text("code")}: {error.Text("message")} (phase {error.Text("phase")})" : null),
            ("waits for", string.Join("; ", ((JsonArray)job["waits"]!).Select(reason => reason!.ToString()))),
            ("progress", progress.Count > 0 && receipt.Count == 0
                ? $"{progress["basis_points"]!.GetValue<int>() / 100} % {progress.Text("phase")}: {progress.Text("message")}"
                : null),
            ("operation", job.Text("operation")),
            ("worker", job["worker"] is null ? null : $"{job.Text("worker_id")} {Names.Short(job.Text("worker"))}"),
            ("attempt", job.Text("attempt")),
            ("submitter", job.Text("submitter")),
            ("through", job.Text("transport")),
            ("document", $"sha256 {job.Text("document_sha256")}"),
            ("money", $"at most {money.Text("max_price")}, price {Or(money.Text("price"), "not agreed")}, in escrow "
                + $"{money.Text("escrow")}, paid {money.Text("paid")}, refunded {money.Text("refunded")}"),
            ("submitted", timings.Text("submitted_at")),
            ("assigned", timings.Text("assigned_at")),
            ("started", timings.Text("started_at")),
            ("finished", timings.Text("finished_at")),
            ("settled", timings.Text("settled_at")),
            ("history", $"{job.Text("events")} events: meshledger job history {job.Text("job_id")}"),
        ]);
        var bids = Objects(job["bids"]);
        if (bids.Count > 0)
        {
            output.Line();
            output.Line("Bids");
            output.Table(
                bids,
                [
                    Column.Of("worker_id", heading: "WORKER"), new("KEY", row => Names.Short(row.Text("worker"))),
                    Column.Of("price", right: true), Column.Of("won"), Column.Of("unmet", heading: "COULD NOT WIN FOR"),
                ],
                "  ");
        }

        if (receipt.Count > 0)
        {
            WriteReceipt(output, receipt);
        }
    }

    private static void WriteReceipt(Output output, JsonObject receipt)
    {
        output.Line();
        output.Line("Receipt");
        output.Pairs(
        [
            ("  digest", receipt.Text("digest")),
            ("  engine", receipt.Text("engine")),
            ("  kernel", Prefixed("sha256", receipt.Text("kernel_sha256"))),
            ("  program", Prefixed("blake3", receipt.Text("program"))),
            ("  exit code", receipt.Text("exit_code")),
            ("  duration", string.Create(
                CultureInfo.InvariantCulture, $"{receipt["duration_us"]!.GetValue<long>() / 1e6:0.000000} s")),
            ("  peak memory", Suffixed(receipt.Text("peak_memory_bytes"), "bytes")),
        ]);
        foreach (var artifact in Objects(receipt["outputs"]))
        {
            output.Line();
            output.Line($"Output {artifact.Text("name")}: {artifact.Text("size")} bytes"
                + (artifact.Text("truncated") == "yes" ? ", cut at the limit" : ""));
            output.Line($"  blake3 {artifact.Text("blake3")}");
            output.Line($"  sha256 {artifact.Text("sha256")}");
            var lines = artifact["text"] is { } text ? SafeText.Lines(text.ToString()).ToList() : [];
            foreach (var line in lines.Take(OutputLines).Where(_ => artifact.Text("size") != "0"))
            {
                output.Line($"  | {line}");
            }

            if (lines.Count > OutputLines)
            {
                output.Line($"  {lines.Count - OutputLines} more lines: --output json has them all");
            }
        }
    }

    private static JsonObject Receipt(JobState state, Receipt receipt) => new()
    {
        ["digest"] = state.ReceiptDigest?.ToString(),
        ["engine"] = $"{receipt.Engine.Name} {receipt.Engine.Version}",
        ["kernel_sha256"] = receipt.KernelSha256?.ToString(),
        ["program"] = receipt.Program?.ToString(),
        ["exit_code"] = receipt.ExitCode,
        ["duration_us"] = receipt.DurationUs,
        ["peak_memory_bytes"] = receipt.PeakMemoryBytes,
        ["outputs"] = new JsonArray([.. receipt.Outputs.Select(output => new JsonObject
        {
            ["name"] = output.Name,
            ["size"] = output.Size,
            ["blake3"] = output.Blake3.ToString(),
            ["sha256"] = output.Sha256.ToString(),
            ["truncated"] = output.Truncated,
            ["text"] = output.Text,
            ["base64"] = output.Base64,
        })]),
    };

    private static JsonObject Part(JsonObject job, string name) => job[name] as JsonObject ?? [];

    private static List<JsonObject> Objects(JsonNode? list) => [.. (list as JsonArray ?? []).OfType<JsonObject>()];

    private static string? Time(DateTimeOffset? time) => time is { } value ? Timestamps.Write(value) : null;

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;

    private static string? Prefixed(string prefix, string text) => text.Length > 0 ? $"{prefix} {text}" : null;

    private static string? Suffixed(string text, string suffix) => text.Length > 0 ? $"{text} {suffix}" : null;
}
