using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job dead list|redrive</c>: jobs that failed for good, and running them again as new jobs.
/// </summary>
internal static class DeadLetterCommands
{
    private const long DefaultLimit = 50;

    private static readonly Option<string?> Namespace = Text("--namespace", "NAME", "Only jobs of this namespace.");
    private static readonly Option<string?> Operation = Text("--operation", "NAME", "Only jobs of this operation.");
    private static readonly Option<string?> Code = Text("--code", "CODE", "Only jobs that failed with this error code.");

    private static readonly Option<long?> Limit =
        GlobalOptions.Number("--limit", $"At most this many (default: {DefaultLimit}).", 1L, 1_000_000L);

    private static readonly Argument<string[]> Ids = new("ID")
    {
        Description = "Failed jobs.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> All = new("--all")
    {
        Description = "All that job dead list shows with the same filters, and without a limit.",
    };

    private static readonly Option<bool> Force = new("--force")
    {
        Description = "Also what was run again before, or what another submitter submitted.",
    };

    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until every new job has ended." };

    public static Command Create() => new("dead", "Jobs that failed for good: see them, and run them again.")
    {
        new Verb(
            "list", "List failed jobs that their submitter has not run again, latest last.",
            "meshledger job dead list", "meshledger job dead list --operation vm.execute --code TIMEOUT")
        {
            Namespace, Operation, Code, Limit,
        }.Does(ListAsync),
        new Verb(
            "redrive",
            "Submit failed jobs' documents again, each as a new job ID-r1, ID-r2...: without its idempotency key, and "
            + "without a deadline that has passed. A job is run again once.",
            "meshledger job dead redrive exit-three-example-001 --wait",
            "meshledger job dead redrive --all --code BLOB_NOT_FOUND")
        {
            Ids, All, Namespace, Operation, Code, Force, Wait,
        }.Does(RedriveAsync),
    };

    private static async Task<int> ListAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var limit = call.Get(Limit) ?? DefaultLimit;
        var rows = await LoadAsync(call, ledger, limit + 1);
        var more = rows.Count > limit;
        if (more)
        {
            rows.RemoveAt(rows.Count - 1);
        }

        call.Output.Rows(
            rows,
            [
                Column.Of("job_id", heading: "JOB"), Column.Of("operation"), Column.Of("namespace"),
                Column.Of("attempt", right: true),
                new("FAILED", row => row.Text("ended_at") is { Length: > 19 } time ? $"{time[..19]}Z" : ""),
                Column.Of("error_code", heading: "ERROR"), Column.Of("error_message", heading: "WHY", free: true),
            ],
            "No dead letters.");
        if (more && call.Output.IsText)
        {
            Messages.Say($"There are more: --limit {limit * 2}");
        }

        return ExitCodes.Ok;
    }

    private static async Task<int> RedriveAsync(Call call)
    {
        var given = call.Get(Ids)!.Distinct().Select(JobWaitCommand.ParseId).ToList();
        if ((given.Count > 0) == call.Get(All))
        {
            throw new CommandFailure(ExitCodes.Usage, "expected jobs, or --all.");
        }

        var submitter = SignerKeys.Submitter(call.Data).Did.ToString();
        await using var ledger = await LedgerSession.OpenAsync(call);
        var jobs = call.Get(All)
            ? [.. (await LoadAsync(call, ledger, int.MaxValue))
                .Where(row => call.Get(Force) || row.Text("submitter") == submitter)
                .Select(row => JobId.Parse(row.Text("job_id")))]
            : given;
        var inbox = new JobInbox(call);
        var redrives = new List<(JobId Job, Domain.Documents.JobDocument Document, IReadOnlyList<string> Removed)>();
        await ledger.Projections.CatchUpAsync(call.Stop);
        foreach (var job in jobs)
        {
            redrives.Add(await ReadAsync(call, ledger, job, submitter));
        }

        var dropped = redrives.Select(redrive => inbox.Drop(redrive.Document)).ToList();
        if (dropped.Count > 0)
        {
            inbox.SayIfUnwatched();
        }

        foreach (var (job, _, removed) in redrives)
        {
            foreach (var what in removed)
            {
                Messages.Say($"{job}: left out its {what}.");
            }
        }

        if (call.Get(Wait) && dropped.Count > 0)
        {
            return await inbox.WaitAsync(dropped);
        }

        var rows = redrives.Zip(dropped, (redrive, file) => new JsonObject
        {
            ["job_id"] = redrive.Document.JobId.ToString(),
            ["redrive_of"] = redrive.Job.ToString(),
            ["removed"] = Names.List(redrive.Removed),
            ["inbox_file"] = inbox.PathOf(file),
        }).ToList();
        call.Output.Rows(
            rows, [Column.Of("job_id", heading: "JOB"), Column.Of("redrive_of")], "No dead letters.");
        return ExitCodes.Ok;
    }

    /// <exception cref="CommandFailure">The job is not to be run again.</exception>
    private static async Task<(JobId, Domain.Documents.JobDocument, IReadOnlyList<string>)> ReadAsync(
        Call call, LedgerSession ledger, JobId job, string submitter)
    {
        var state = await ledger.LoadJobAsync(job, call.Stop)
            ?? throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
        if (state.Status != JobStatus.Failed)
        {
            throw new CommandFailure(
                ExitCodes.Failed, $"job {job} is {state.Status.Name()}; only a failed job is run again. Nothing was submitted.");
        }

        var known = await Sql.RowsAsync(
            ledger.Database,
            """
            SELECT job_id, redriven_of, submitter FROM job_status
            WHERE job_id = $1 OR redriven_of = $1 OR starts_with(job_id, regexp_replace($1, '-r[0-9]+$', '') || '-r')
            """,
            [job.ToString()], call.Stop);
        if (!call.Get(Force))
        {
            if (state.Submitter.ToString() != submitter)
            {
                throw new CommandFailure(
                    ExitCodes.Failed, $"job {job} was submitted by {state.Submitter}, not by this data directory's submitter; "
                    + "--force submits it as ours. Nothing was submitted.");
            }

            if (known.Find(row => row.Text("redriven_of") == job.ToString() && row.Text("submitter") == submitter)
                is { } before)
            {
                throw new CommandFailure(
                    ExitCodes.Failed, $"job {job} was run again as {before.Text("job_id")}; --force runs it once more. Nothing "
                    + "was submitted.");
            }
        }

        var isRedrive = known.Exists(row => row.Text("job_id") == job.ToString() && row["redriven_of"] is not null);
        var (reading, removed) = Redrive.Of(
            job, isRedrive, state.Submission, id => known.Exists(row => row.Text("job_id") == id.ToString()),
            TimeProvider.System);
        return reading.Document is { } document
            ? (job, document, removed)
            : throw new CommandFailure(
                ExitCodes.Failed, $"job {job} cannot be submitted again: {string.Join("; ", reading.Faults)}. Nothing was "
                + "submitted.");
    }

    private static async Task<List<JsonObject>> LoadAsync(Call call, LedgerSession ledger, long limit)
    {
        await ledger.Projections.CatchUpAsync(call.Stop);
        return await Sql.RowsAsync(
            ledger.Database,
            """
            SELECT job_id, operation, namespace, submitter, attempt, failures, losses, worker, error_code, error_message,
                submitted_at, ended_at, redriven_of
            FROM dead_letters
            WHERE ($1::text IS NULL OR namespace = $1) AND ($2::text IS NULL OR operation = $2)
                AND ($3::text IS NULL OR error_code = $3)
            ORDER BY submitted_position LIMIT $4
            """,
            [call.Get(Namespace), call.Get(Operation), call.Get(Code), limit], call.Stop);
    }

    private static Option<string?> Text(string name, string value, string description) =>
        new(name) { Description = description, HelpName = value };
}
