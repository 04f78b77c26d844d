using System.CommandLine;
using System.Globalization;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job list</c>: jobs in the order of their submission, latest last.</summary>
internal static class JobListCommand
{
    private const long DefaultLimit = 50;

    private static readonly Option<string?> Status = NewStatus();

    private static readonly Option<long?> Limit =
        GlobalOptions.Number("--limit", $"At most this many (default: {DefaultLimit}).", 1L, 1_000_000L);

    private static readonly Option<string?> After = new("--after")
    {
        Description = "Only jobs that were submitted after this job: the last one of the page before.",
        HelpName = "ID",
    };

    private static readonly Column[] Columns =
    [
        Column.Of("job_id", heading: "JOB"), Column.Of("status"), Column.Of("operation"),
        new("SUBMITTED", row => row.Text("submitted_at") is { Length: > 19 } time ? $"{time[..19]}Z" : ""),
        new("PROGRESS", row => row["progress_bp"] is { } points && row["ended_at"] is null
            ? string.Create(CultureInfo.InvariantCulture, $"{points.GetValue<int>() / 100} %") : "", Right: true),
        Column.Of("price", right: true), Column.Of("error_code", heading: "ERROR"),
    ];

    public static Command Create() => new Verb(
        "list", "List jobs in the order of their submission.",
        "meshledger job list", "meshledger job list --status failed --limit 10",
        "meshledger job list --after echo-example-001 --output jsonl")
    {
        Status, Limit, After,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        if (call.Get(Status) is { } status && !JobStatusNames.All.Contains(status))
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--status: expected {string.Join(", ", JobStatusNames.All)}, found '{status}'.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        await ledger.Projections.CatchUpAsync(call.Stop);
        var after = 0L;
        if (call.Get(After) is { } last)
        {
            after = (await Sql.RowsAsync(
                    ledger.Database, "SELECT submitted_position FROM job_status WHERE job_id = $1",
                    [JobWaitCommand.ParseId(last).ToString()], call.Stop))
                .FirstOrDefault()?["submitted_position"]?.GetValue<long>()
                ?? throw new CommandFailure(ExitCodes.NotFound, $"there is no job {last} in this ledger.");
        }

        var limit = call.Get(Limit) ?? DefaultLimit;
        var rows = await Sql.RowsAsync(
            ledger.Database,
            """
            SELECT job_id, status, operation, submitter, transport, namespace, priority, max_price, attempt, failures, losses,
                bids, workers, worker, price, escrow, paid, refunded, phase, progress_bp, eta_ms, message, error_code, error_message,
                cancel_reason, redriven_of, submitted_at, assigned_at, started_at, retry_at, ended_at
            FROM job_status
            WHERE submitted_position > $1 AND ($2::text IS NULL OR status = $2)
            ORDER BY submitted_position LIMIT $3
            """,
            [after, call.Get(Status), limit + 1], call.Stop);
        var more = rows.Count > limit;
        if (more)
        {
            rows.RemoveAt(rows.Count - 1);
        }

        call.Output.Rows(rows, Columns, "No jobs.");
        if (more && call.Output.IsText)
        {
            Messages.Say($"There are more: --after {rows[^1].Text("job_id")}");
        }

        return ExitCodes.Ok;
    }

    private static Option<string?> NewStatus()
    {
        var status = new Option<string?>("--status") { Description = "Only jobs of this status.", HelpName = "STATUS" };
        status.CompletionSources.Add([.. JobStatusNames.All]);
        return status;
    }
}
