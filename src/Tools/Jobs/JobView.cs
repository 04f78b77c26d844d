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
        var run = state.ResultRun ?? state.Runs.FirstOrDefault();
        var progress = run?.Progress;
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
            ["priority"] = submission.Terms.Priority,
            ["attempts_failed"] = state.Failures,
            ["attempts_lost"] = state.Losses,
            ["retry_at"] = state.Status == JobStatus.Retrying ? Time(state.RetryAt) : null,
            ["cancel_reason"] = state.CancelReason,
            ["worker"] = run?.Worker.ToString(),
            ["worker_id"] = names.WorkerId(run?.Worker),
            ["runs"] = new JsonArray([.. state.Runs.Select(one => new JsonObject
            {
                ["worker"] = one.Worker.ToString(),
                ["worker_id"] = names.WorkerId(one.Worker),
                ["price"] = one.Price,
                ["started_at"] = Time(one.StartedAt),
                ["checkpoint"] = one.Checkpoint is { } saved ? GuestView.Of(saved) : null,
                ["receipt"] = one.ReceiptDigest?.ToString(),
                ["result"] = ResultOf(state, one),
            })]),
            ["money"] = new JsonObject
            {
                ["max_price"] = submission.Terms.MaxPrice,
                ["price"] = run?.Price,
                ["escrow"] = ended ? 0 : state.Escrow,
                ["paid"] = state.Paid,
                ["refunded"] = ended ? state.Escrow - state.Paid : 0,
            },
            ["waits"] = Names.List(waits),
            ["progress"] = progress is not null
                ? new JsonObject
                {
                    ["phase"] = progress.Phase,
                    ["basis_points"] = progress.BasisPoints,
                    ["eta_ms"] = progress.EtaMs,
                    ["message"] = progress.Message,
                }
                : null,
            ["error"] = state.Error is { } error
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
                ["won"] = state.RunOf(bid.Worker) is not null,
                ["reputation"] = bid.Reputation,
                ["latency_ms"] = bid.LatencyMs,
                ["score"] = bid.Terms?.Score,
                ["unmet"] = Names.List(bid.Unmet),
            })]),
            ["receipt"] = run?.Receipt is { } receipt ? Receipt(run, receipt, names) : null,
            ["findings"] = new JsonArray([.. state.Book.Findings.Select(finding => new JsonObject
            {
                ["finding"] = finding.IsVerified ? "verified" : "disputed",
                ["receipt"] = finding.Receipt.ToString(),
                ["by"] = finding.By.ToString(),
                ["role"] = names.Role(finding.By),
                ["at"] = Timestamps.Write(finding.At),
                ["parting"] = finding.Parting?.ToString(),
            })]),
            ["timings"] = new JsonObject
            {
                ["submitted_at"] = Timestamps.Write(state.SubmittedAt),
                ["assigned_at"] = Time(state.AssignedAt),
                ["started_at"] = Time(run?.Receipt?.StartedAt ?? run?.StartedAt),
                ["finished_at"] = Time(run?.Receipt?.FinishedAt),
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
            ("", job["waits"] is JsonArray { Count: > 0 } ? $"more: meshledger job why {job.Text("job_id")}" : null),
            ("cancelled", timings["settled_at"] is null ? null : job.Text("cancel_reason")),
            ("progress", progress.Count > 0 && receipt.Count == 0 && timings["settled_at"] is null
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
            ("history", $"{Names.Count(job.Text("events"), "event")}: meshledger job history {job.Text("job_id")}"),
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
                    Column.Of("price", right: true), Column.Of("reputation", right: true),
                    Column.Of("score", right: true), Column.Of("won"), Column.Of("unmet", heading: "COULD NOT WIN FOR"),
                ],
                "  ");
        }

        if (receipt.Count > 0)
        {
            WriteReceipt(output, receipt);
        }

        var findings = Objects(job["findings"]);
        if (findings.Count > 0)
        {
            output.Line();
            output.Line("Run again by others");
            output.Table(
                findings,
                [
                    Column.Of("finding"), new("RECEIPT", row => Names.ShortDigest(row.Text("receipt"))),
                    new("BY", row => $"{row.Text("role")} {Names.Short(row.Text("by"))}"), Column.Of("at"),
                    Column.Of("parting", heading: "THE RUNS PART"),
                ],
                "  ");
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
            .. GuestView.Lines(Part(receipt, "guest")),
        ]);
        foreach (var artifact in Objects(receipt["outputs"]))
        {
            output.Line();
            output.Line($"Output {artifact.Text("name")}: {Names.Count(artifact.Text("size"), "byte")}"
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

    private static JsonObject Receipt(Run run, Receipt receipt, Names names) => new()
    {
        ["digest"] = run.ReceiptDigest?.ToString(),
        ["engine"] = $"{receipt.Engine.Name} {receipt.Engine.Version}",
        ["kernel_sha256"] = receipt.KernelSha256?.ToString(),
        ["program"] = receipt.Program?.ToString(),
        ["exit_code"] = receipt.ExitCode,
        ["duration_us"] = receipt.DurationUs,
        ["peak_memory_bytes"] = receipt.PeakMemoryBytes,
        ["guest"] = receipt.Guest is { } guest ? GuestView.Of(guest, names) : null,
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

    /// <summary>What became of a run, once the job has ended.</summary>
    private static string? ResultOf(JobState state, Run run) => state.End switch
    {
        JobEvent.Completed completed => completed.Outcomes,
        JobEvent.Failed failed => failed.Outcomes,
        JobEvent.Cancelled cancelled => cancelled.Outcomes,
        _ => null,
    } is { } outcomes ? outcomes.FirstOrDefault(outcome => outcome.Worker == run.Worker)?.Result : null;

    private static JsonObject Part(JsonObject job, string name) => job[name] as JsonObject ?? [];

    private static List<JsonObject> Objects(JsonNode? list) => [.. (list as JsonArray ?? []).OfType<JsonObject>()];

    private static string? Time(DateTimeOffset? time) => time is { } value ? Timestamps.Write(value) : null;

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;

    private static string? Prefixed(string prefix, string text) => text.Length > 0 ? $"{prefix} {text}" : null;

    private static string? Suffixed(string text, string suffix) => text.Length > 0 ? $"{text} {suffix}" : null;
}
