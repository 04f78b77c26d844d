using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Queries;
using MeshLedger.Tools.Replay;

namespace MeshLedger.Tools.Reports;

/// <summary><c>meshledger report</c>: figures from the read models, as a table, CSV, JSON, or a page with charts.</summary>
internal static class ReportCommand
{
    private static readonly Argument<string> Which = NewWhich();

    private static readonly Option<string?> By = NewBy();

    private static readonly Option<DateTimeOffset?> From = TimeOption.Create(
        "--from", $"Of jobs submitted, runs assigned, failures and events at this time or later; {TimeOption.Midnight}. Not of accounts.");

    private static readonly Option<DateTimeOffset?> To = TimeOption.Create(
        "--to", $"The same, before this time: {TimeOption.Midnight}, so that day is not in it. Not of accounts.");

    private static readonly Option<string?> AsOf = GlobalOptions.NotEmpty(PointInTime.NewOption(
        "As of this point, by the ledger's clock, replaying the log up to there (default: now, from the read models):", PointInTime.ExpectedOfLedger, "--as-of"));

    private static readonly Option<string?> Html = GlobalOptions.NotEmpty(new Option<string?>("--html")
    {
        Description = "Write a page with charts to this file, instead of an answer in --output's format: one file that needs no other, "
            + "and runs no script.",
        HelpName = "FILE",
    });

    public static Command Create() => new Verb(
        "report",
        "Report on jobs, workers, accounts, throughput or failures, from the read models. Times are by the clocks of those who "
        + "signed. Wait is from a job's submission to the start of its first run; run is what all its runs took together, and busy "
        + "what a worker's runs did, as their receipts say: a run without a receipt counts for neither.",
        "meshledger report jobs", "meshledger report jobs --by operation --from 2026-11-01 --output csv",
        "meshledger report throughput --by hour --html throughput.html", "meshledger report failures --by worker",
        "meshledger report accounts --as-of 4711")
    {
        Arguments = { Which },
        Options = { By, From, To, AsOf, Html },
    }.AlsoWriting(OutputFormat.Csv).Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var question = Read(call);
        var asOf = call.Get(AsOf) is { } point ? PointInTime.Parse("--as-of", point, hasVersions: false) : null;
        await using var ledger = await LedgerSession.OpenAsync(call);
        await ledger.Projections.CatchUpAsync(call.Stop);
        var head = await ledger.Store.HeadAsync(call.Stop);
        var names = await AuthorNames.LoadAsync(ledger, call.Stop);
        await using var connection = await ledger.Database.OpenConnectionAsync(call.Stop);
        await using var transaction = await connection.BeginTransactionAsync(call.Stop);
        var (position, at) = (head, TimeProvider.System.GetUtcNow());
        if (asOf is not null)
        {
            (position, at) = await asOf.OfLedgerAsync("--as-of", connection, head, call.Stop);
            Messages.Say($"Replaying the log up to position {position}.");
            await PastReadModels.BuildAsync(ledger.Store, connection, position, call.Stop);
        }

        var table = ReportNaming.Add(await ReportReader.ReadAsync(connection, question, position, at, call.Stop), names);
        await transaction.RollbackAsync(call.Stop);
        if (call.Get(Html) is { } file)
        {
            await WriteAsync(file, ReportPage.Write(question, table, position, at), call.Stop);
            Messages.Say($"wrote {file}");
            return ExitCodes.Ok;
        }

        Show(call.Output, question, table, position, at);
        return ExitCodes.Ok;
    }

    private static void Show(Output output, ReportQuestion question, ReportTable table, long position, DateTimeOffset at)
    {
        var rows = table.Rows.Select(row => ReportText.Row(table, row)).ToList();
        switch (output.Format)
        {
            case OutputFormat.Json:
                output.Document(new JsonObject
                {
                    ["report"] = question.Name,
                    ["by"] = question.By,
                    ["from"] = question.From is { } from ? Timestamps.Write(from) : null,
                    ["to"] = question.To is { } to ? Timestamps.Write(to) : null,
                    ["position"] = position,
                    ["at"] = Timestamps.Write(at.ToMicroseconds()),
                    ["rows"] = new JsonArray([.. rows]),
                });
                break;
            case OutputFormat.Csv:
                string[] members = [.. table.Columns.Select(column => column.Name)];
                output.CsvHeader(members);
                output.CsvRows(rows, members);
                break;
            default:
                output.Rows(rows, ReportText.Columns(table), $"Nothing to report up to position {position}.");
                break;
        }
    }

    private static ReportQuestion Read(Call call)
    {
        var (name, by) = (call.Get(Which)!, call.Get(By));
        var groups = ReportNames.GroupsOf(name);
        if (by is not null && !groups.Contains(by))
        {
            throw new CommandFailure(
                ExitCodes.Usage,
                groups.Count == 0
                    ? $"--by: a report on {name} is not grouped."
                    : $"--by: a report on {name} is by {string.Join(", ", groups)}, not by '{SafeText.Cut(by, 80)}'.");
        }

        var (from, to) = (call.Get(From), call.Get(To));
        if (name == ReportNames.Accounts && (from ?? to) is not null)
        {
            throw new CommandFailure(
                ExitCodes.Usage, "--from and --to: accounts are as of one moment: give --as-of, or nothing for now.");
        }

        TimeOption.RequireInterval(from, to);
        if (call.Get(Html) is not null && !call.Output.IsText)
        {
            throw new CommandFailure(ExitCodes.Usage, "--html writes a page, and --output says how the answer is written: give one of them.");
        }

        return new ReportQuestion(name, by ?? (name == ReportNames.Throughput ? ReportNames.ByDay : null), from, to);
    }

    /// <summary>Under another name first, so that nobody reads half of it.</summary>
    private static async Task WriteAsync(string file, string page, CancellationToken cancellationToken)
    {
        if (Directory.Exists(file))
        {
            throw new CommandFailure(ExitCodes.Usage, $"--html: {file} is a directory: expected a file.");
        }

        var path = Path.GetFullPath(file);
        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"--html: there is no directory {Path.GetDirectoryName(path)}");
        }

        await File.WriteAllTextAsync($"{path}.tmp", page, cancellationToken);
        File.Move($"{path}.tmp", path, overwrite: true);
    }

    private static Argument<string> NewWhich()
    {
        var which = new Argument<string>("REPORT")
        {
            Description = string.Join(", ", ReportNames.All) + ".",
            HelpName = "REPORT",
        };
        which.CompletionSources.Add([.. ReportNames.All]);
        which.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !ReportNames.All.Contains(token.Value)))
            {
                result.AddError($"There is no report '{token.Value}': expected {string.Join(", ", ReportNames.All)}.");
            }
        });
        return which;
    }

    private static Option<string?> NewBy()
    {
        var by = new Option<string?>("--by")
        {
            Description = "Rows for each of these: of jobs, workers and failures operation, worker, namespace or day; of throughput day "
                + "(default) or hour; of accounts none. A job's worker is the one to whom it was assigned last.",
            HelpName = "GROUP",
        };
        by.CompletionSources.Add("operation", "worker", "namespace", "day", "hour");
        return by;
    }
}
