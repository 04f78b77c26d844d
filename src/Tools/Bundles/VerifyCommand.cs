using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.LogVerbs;

namespace MeshLedger.Tools.Bundles;

/// <summary><c>meshledger verify</c>: a bundle, with nothing but a policy.</summary>
internal static class VerifyCommand
{
    private static readonly Argument<string> BundleFile = new("FILE") { Description = "A bundle, or - for standard input." };

    private static readonly Option<string> Policy = new("--policy")
    {
        Description = "Whom you trust: a JSON file with logs, and, if you like, witnesses, quorum, founder, submitters, workers "
            + "(schemas/README.md).",
        HelpName = "POLICY",
        Required = true,
    };

    public static Command Create() => new Verb(
        "verify",
        "Check a bundle offline, without a node or a database, and say what it proves and what it does not. Exit code 4 if "
        + "anything in it does not hold.",
        "meshledger verify echo.tar --policy policy.json", "meshledger verify echo.tar --policy policy.json --output json")
    {
        BundleFile, GlobalOptions.NotEmpty(Policy),
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var policy = await ReadPolicyAsync(call.Get(Policy)!, call.Stop);
        await using var archive = InputFile.OpenOrInput(call.Get(BundleFile)!);
        var report = await BundleVerifier.VerifyAsync(archive, policy, call.Stop);
        call.Output.Object(Row(report), () => Say(call.Output, report));
        return report.IsProven ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    private static async Task<BundlePolicy> ReadPolicyAsync(string file, CancellationToken stop)
    {
        await using var stream = InputFile.Open(file);
        var bytes = new byte[BundlePolicy.MaxBytes + 1];
        var length = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, stop);
        try
        {
            return BundlePolicy.Parse(bytes.AsMemory(0, length));
        }
        catch (FormatException exception)
        {
            var why = exception.InnerException is JsonException ? WhyNoJson(bytes.AsMemory(0, length)) : exception.Message;
            throw new CommandFailure(ExitCodes.Usage, SafeText.Line($"{file} is no policy: {why}."));
        }
    }

    /// <summary>In words and with the place, as of every other file.</summary>
    private static string WhyNoJson(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var deeper = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return "expected an object with lists of keys and nothing deeper";
        }
        catch (JsonException)
        {
            return JsonSyntax.Explain(bytes.Span);
        }
    }

    private static void Say(Output output, BundleReport report)
    {
        foreach (var fault in report.Faults)
        {
            output.Line($"FAULT {fault}");
        }

        if (!report.IsProven)
        {
            output.Line($"Bundle: {Names.Count(report.Faults.Count, "fault")}. Nothing in it may be relied on.");
            return;
        }

        output.Line($"The log {report.Log!.Origin} ({report.Key}) signed a tree head of {Entries(report.Log.Size)}; each of the "
            + $"{Names.Count(report.Events, "event")} here is signed by its author, and in it.");
        if (report.TrustedKey != report.Key)
        {
            output.Line($"The policy names the log's key {report.TrustedKey}: between it and that key, each signed the hand-over to the next.");
        }

        foreach (var cosigned in report.Cosigned)
        {
            output.Line($"Witness {cosigned.Key.Name} cosigned the tree head at {Time(cosigned)}: all of this was there by then.");
        }

        foreach (var job in report.Jobs)
        {
            output.Line();
            output.Line($"JOB {job.Job}: {job.Status.Name()}");
            foreach (var line in BundleWords.Of(job))
            {
                output.Line(line);
            }
        }

        output.Line();
        output.Line("NOT PROVEN:");
        foreach (var line in BundleWords.NotProven(report))
        {
            output.Line($"- {line}");
        }

        output.Line();
        output.Line("Bundle: proven.");
    }

    private static JsonObject Row(BundleReport report) => new()
    {
        ["proven"] = report.IsProven,
        ["log"] = report.Log is { } head ? LogCommands.Row(head) : null,
        ["log_key"] = report.Key?.ToString(),
        ["trusted_key"] = report.TrustedKey?.ToString(),
        ["cosigned"] = new JsonArray([.. report.Cosigned.Select(one => new JsonObject
        {
            ["witness"] = one.Key.ToString(),
            ["time"] = Time(one),
        })]),
        ["unchecked_signatures"] = report.UncheckedSignatures,
        ["founder"] = report.Founder?.ToString(),
        ["events"] = report.Events,
        ["blobs"] = Names.List(report.Blobs.Select(blob => blob.Blake3.ToString())),
        ["jobs"] = new JsonArray([.. report.Jobs.Select(Row)]),
        ["not_proven"] = Names.List(report.IsProven ? BundleWords.NotProven(report) : []),
        ["faults"] = new JsonArray([.. report.Faults.Select(fault => new JsonObject
        {
            ["kind"] = fault.Kind,
            ["place"] = fault.Place,
            ["expected"] = fault.Expected,
            ["found"] = fault.Found,
        })]),
    };

    private static JsonObject Row(BundledJob job) => new()
    {
        ["job_id"] = job.Job.ToString(),
        ["status"] = job.Status.Name(),
        ["operation"] = job.Operation,
        ["submitter"] = job.Submitter.ToString(),
        ["submitted_at"] = Timestamps.Write(job.SubmittedAt),
        ["position"] = job.Position,
        ["document_sha256"] = job.DocumentSha256.ToString(),
        ["versions"] = job.Versions,
        ["end_position"] = job.EndPosition,
        ["ended_by"] = job.EndedBy?.ToString(),
        ["receipts"] = new JsonArray([.. job.Receipts.Select(receipt => new JsonObject
        {
            ["worker"] = receipt.Worker.ToString(),
            ["name"] = receipt.Name,
            ["position"] = receipt.Position,
            ["digest"] = receipt.Digest.ToString(),
            ["attempt"] = receipt.Attempt,
            ["program"] = receipt.Receipt.Program?.ToString(),
            ["error"] = receipt.Receipt.Error?.Code,
            ["is_result"] = receipt.IsResult,
            ["attested"] = receipt.IsAttested,
            ["re_executed"] = new JsonArray([.. receipt.Reexecutions.Select(again => new JsonObject
            {
                ["by"] = again.By.ToString(),
                ["agrees"] = again.Agrees,
                ["position"] = again.Position,
            })]),
            ["outputs"] = new JsonArray([.. receipt.Receipt.Outputs.Select(output => new JsonObject
            {
                ["name"] = output.Name,
                ["size"] = output.Size,
                ["sha256"] = output.Sha256.ToString(),
                ["blake3"] = output.Blake3.ToString(),
                ["truncated"] = output.Truncated,
            })]),
        })]),
        ["missing_blobs"] = Names.List(job.MissingBlobs.Select(blob => blob.ToString())),
        ["words"] = Names.List(BundleWords.Of(job)),
    };

    private static string Entries(long size) => size == 1 ? "1 entry" : $"{size} entries";

    private static string Time(VerifiedSignature cosigned) =>
        cosigned.Time <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? Timestamps.Write(DateTimeOffset.FromUnixTimeSeconds(cosigned.Time))
            : cosigned.Time.ToString(CultureInfo.InvariantCulture);
}
