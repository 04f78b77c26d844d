using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Tools.Blobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Jobs;
using MeshLedger.Tools.LogVerbs;

namespace MeshLedger.Tools.Bundles;

/// <summary><c>meshledger export</c>: what a third party needs to check jobs without us.</summary>
internal static class ExportCommand
{
    private const string Bundle = "bundle";
    private const string InToto = "intoto";

    private static readonly Argument<string[]> Ids = new("JOB") { Description = "Jobs.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<string> Into = new("--file", "-o")
    {
        Description = "The file to write.",
        HelpName = "FILE",
        Required = true,
    };

    private static readonly Option<bool> WithBlobs = new("--blobs")
    {
        Description = "With the blobs that the jobs name: programs, inputs, large outputs. Otherwise their names alone.",
    };

    private static readonly Option<string> Format = new("--format")
    {
        Description = "bundle is all of it, a tar; intoto is what the workers attested, a DSSE envelope a line (.intoto.jsonl).",
        HelpName = "bundle|intoto",
        DefaultValueFactory = _ => Bundle,
    };

    public static Command Create()
    {
        // The parser's own list of what it accepts is told with line ends and tabs.
        Format.CompletionSources.Add(Bundle, InToto);
        Format.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => token.Value is not (Bundle or InToto)))
            {
                result.AddError($"--format: expected {Bundle} or {InToto}, found '{token.Value}'.");
            }
        });
        return new Verb(
            "export",
            "Write a bundle: jobs with all that a third party needs to check them, in one file (meshledger verify, or "
            + "examples/verify-bundle).",
            "meshledger export echo-example-001 -o echo.tar", "meshledger export run-1 run-2 -o runs.tar --blobs",
            "meshledger export run-1 -o run-1.intoto.jsonl --format intoto")
        {
            Ids, GlobalOptions.NotEmpty(Into), WithBlobs, Format, LogCommands.Directory, LogCommands.Key,
        }.Does(RunAsync);
    }

    private static async Task<int> RunAsync(Call call)
    {
        var jobs = call.Get(Ids)!.Distinct().Select(JobWaitCommand.ParseId).ToList();
        var target = Path.GetFullPath(call.Get(Into)!);
        if (Directory.Exists(target))
        {
            throw new CommandFailure(ExitCodes.Usage, $"--file: {target} is a directory: expected a file.");
        }

        if (!Directory.Exists(Path.GetDirectoryName(target)))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"--file: there is no directory {Path.GetDirectoryName(target)}");
        }

        if (call.Get(Format) == InToto && call.Get(WithBlobs))
        {
            throw new CommandFailure(ExitCodes.Usage, "--blobs is for --format bundle: what workers attested has no blobs in it.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var events = await BundleSelection.LoadAsync(ledger.Store, jobs, log: null, call.Stop);
        var told = events.Select(one => one.Statement.Stream).ToHashSet();
        foreach (var job in jobs.Where(job => !told.Contains(StreamId.OfJob(job))))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
        }

        return call.Get(Format) == InToto
            ? await AttestationsAsync(call, events, target)
            : await BundleAsync(call, ledger, jobs, events, target);
    }

    private static async Task<int> AttestationsAsync(Call call, IReadOnlyList<RecordedEvent> events, string target)
    {
        var lines = BundleWriter.Attestations(events);
        if (lines.Length == 0)
        {
            throw new CommandFailure(ExitCodes.NotFound, "nothing is attested in these jobs: no receipt has a result.");
        }

        await ReplaceAsync(target, (file, stop) => file.WriteAsync(lines, stop).AsTask(), call.Stop);
        call.Output.Object(
            new JsonObject { ["file"] = target, ["attestations"] = lines.Count(letter => letter == '\n') },
            () => call.Output.Line($"{target}: {Names.Count(lines.Count(letter => letter == '\n'), "attestation")}"));
        return ExitCodes.Ok;
    }

    private static async Task<int> BundleAsync(
        Call call, LedgerSession ledger, IReadOnlyList<JobId> jobs, IReadOnlyList<RecordedEvent> events, string target)
    {
        var source = LogCommands.Source(call);
        var (head, keys) = await PublishedHead.WithAsync(
            call, source, events.Where(one => one.Statement.Stream.Kind == "job").Max(one => one.Position));
        var key = keys.For(head.Head.Size)!;
        if (keys.Terms.Count > 1)
        {
            events = await BundleSelection.LoadAsync(ledger.Store, jobs, StreamId.OfLog(key.Name), call.Stop);
        }

        var named = BundleWriter.BlobsOf(events);
        var store = call.Get(WithBlobs) && named.Count > 0 ? BlobCommands.Open(call) : null;
        var there = named.Where(blob => store?.Has(blob) == true).ToList();
        var blobs = there.ToDictionary(
            blob => blob, blob => (store!.SizeOf(blob)!.Value, new Func<Stream>(() => store!.OpenRead(blob))));
        var writer = new BundleWriter(source, head, key);
        await ReplaceAsync(
            target,
            async (file, stop) =>
            {
                try
                {
                    await writer.WriteAsync(file, events, blobs, stop);
                }
                catch (InvalidDataException exception)
                {
                    throw new CommandFailure(ExitCodes.AuditFault, exception.Message);
                }

                // What we cannot verify ourselves nobody else can.
                file.Position = 0;
                var report = await BundleVerifier.VerifyAsync(file, new BundlePolicy { Logs = [key] }, stop);
                if (!report.IsProven)
                {
                    throw new CommandFailure(
                        ExitCodes.AuditFault, $"the ledger holds what does not verify: {report.Faults[0]}. Run: meshledger audit");
                }
            },
            call.Stop);
        var missing = store is null ? [] : BundleWriter.NeededBy(events).Except(there).Select(blob => blob.ToString()).ToList();
        call.Output.Object(
            new JsonObject
            {
                ["file"] = target,
                ["bytes"] = new FileInfo(target).Length,
                ["events"] = events.Count(one => one.Position <= head.Head.Size),
                ["blobs"] = there.Count,
                ["missing_blobs"] = Names.List(missing),
                ["log"] = key.ToString(),
                ["size"] = head.Head.Size,
            },
            () => call.Output.Line($"{target}: {Names.Count(events.Count(one => one.Position <= head.Head.Size), "event")} and "
                + $"{Names.Count(there.Count, "blob")} under the tree head of {head.Head.Size} entries of {key.Name}"));
        foreach (var blob in missing)
        {
            Messages.Say($"blob {blob} is not here, and not in the bundle: meshledger blob fetch {blob}");
        }

        return ExitCodes.Ok;
    }

    /// <summary>Writes a file whole under another name, and then gives it its own.</summary>
    private static async Task ReplaceAsync(
        string target, Func<FileStream, CancellationToken, Task> write, CancellationToken stop)
    {
        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        try
        {
            await using (var file = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite))
            {
                await write(file, stop);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
