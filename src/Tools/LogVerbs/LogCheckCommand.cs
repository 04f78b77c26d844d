using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Microsoft.Extensions.Logging;
using Spectre.Console;

namespace MeshLedger.Tools.LogVerbs;

/// <summary><c>meshledger log fsck</c>: the whole of a log.</summary>
internal static class LogCheckCommand
{
    private static readonly Option<Uri?> Url = new("--url")
    {
        Description = "Check the log that is served here, instead of files: http://HOST:PORT/log.",
        HelpName = "URL",
        CustomParser = result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value.TrimEnd('/') + "/", UriKind.Absolute, out var url)
                && url.Scheme is "http" or "https")
            {
                return url;
            }

            result.AddError($"--url: expected http://HOST:PORT/PATH or https://HOST:PORT/PATH, found '{result.Tokens[0].Value}'.");
            return null;
        },
    };

    private static readonly Option<bool> Repair = new("--repair")
    {
        Description = "Make missing and damaged files again from the database, whose events are first proven to be those that "
            + "were signed over; then check.",
    };

    public static Command Create() => new Verb(
        "fsck",
        "Check a whole log: every entry, every tile, and every tree head that was ever signed. Exit code 4 and a line for each "
        + "fault.",
        "meshledger log fsck", "meshledger log fsck --url http://10.0.0.7:7400/log --key log.key.pub",
        "meshledger log fsck --repair")
    {
        Url, Repair,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        if (call.Get(Url) is not { } url)
        {
            var files = LogCommands.Source(call);
            if (call.Get(Repair))
            {
                await RepairAsync(call, await LogCommands.KeysAsync(call, files));
            }

            return await CheckAsync(call, files, await LogCommands.KeysAsync(call, files));
        }

        if (call.Get(Repair))
        {
            throw new CommandFailure(ExitCodes.Usage, "--repair needs the log's files: it does not go with --url.");
        }

        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            Timeout = TimeSpan.FromSeconds(30),
        };
        var served = new HttpLogSource(client, url);
        var keys = await LogCommands.KeysAsync(call, served);
        if (await LogCommands.GivenKeyAsync(call) is null)
        {
            Messages.Say($"The key is the one that {url} tells, {keys}; give --key to rely on another's word.");
        }

        return await CheckAsync(call, served, keys);
    }

    private static async Task RepairAsync(Call call, LogKeys keys)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        using var logs = new StderrLog(json: !call.Output.IsText, LogLevel.Error, TimeProvider.System);
        var options = new LogOptions
        {
            Directory = LogCommands.DirectoryOf(call),
            Key = SignerKeys.Key(null, "log", call.Data),
            Origin = keys.Origin,
        };
        var publisher = new LogPublisher(
            ledger.Store, ledger.Database, options, TimeProvider.System, logs.CreateLogger<LogPublisher>());
        var total = 2 * await ledger.Store.HeadAsync(call.Stop);
        var written = await BarAsync(
            call, "repairing", report => publisher.RepairAsync(new Tell<long>(done => report(done, total)), call.Stop));
        Messages.Say($"{Names.Count(written, "file")} made again from the database");
    }

    private static async Task<int> CheckAsync(Call call, ILogSource source, LogKeys keys)
    {
        var report = await BarAsync(
            call, "checking",
            report => LogCheck.RunAsync(source, keys, new Tell<(long Done, long Total)>(at => report(at.Done, at.Total)), call.Stop));
        var clean = report.FaultCount == 0;
        var json = new JsonObject
        {
            ["clean"] = clean,
            ["log"] = source.Name,
            ["key"] = keys.ToString(),
            ["head"] = report.Head is { } head ? LogCommands.Row(head.Head) : null,
            ["entries"] = report.Entries,
            ["tiles"] = report.Tiles,
            ["heads"] = report.Heads,
            ["fault_count"] = report.FaultCount,
            ["faults"] = new JsonArray([.. report.Faults.Select(fault => new JsonObject
            {
                ["kind"] = fault.Kind,
                ["file"] = fault.File,
                ["position"] = fault.Position,
                ["reason"] = fault.Reason,
            })]),
        };
        call.Output.Object(json, () =>
        {
            foreach (var fault in report.Faults)
            {
                var place = fault.Position is { } position ? $", position {position}" : "";
                call.Output.Line($"FAULT {fault.Kind}: {fault.File}{place}: {fault.Reason}");
            }

            call.Output.Line($"{report.Entries} entries, {report.Tiles} tiles and bundles, {report.Heads} tree heads, up to size "
                + $"{report.Head?.Head.Size ?? 0}.");
            call.Output.Line(clean ? "Log: clean." : $"Log: {Names.Count(report.FaultCount, "fault")}.");
        });
        return clean ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    /// <summary>A bar on a terminal only.</summary>
    private static async Task<T> BarAsync<T>(Call call, string title, Func<Action<long, long>, Task<T>> run)
    {
        if (Console.IsErrorRedirected || !call.Output.IsText)
        {
            return await run((_, _) => { });
        }

        return await TerminalTables.Console(Console.Error).Progress()
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(),
                new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var bar = context.AddTask(title);
                return await run((done, total) =>
                {
                    bar.MaxValue = Math.Max(total, 1);
                    bar.Value = done;
                });
            });
    }
}
