using System.CommandLine;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job watch</c>: each event of jobs as it happens.</summary>
internal static class JobWatchCommand
{
    // Up one line, and erase it.
    private const string Again = "\e[1A\e[2K";

    private static readonly Argument<string[]> Ids = new("ID") { Description = "Jobs.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<double?> Limit = GlobalOptions.Number(
        "--timeout", "Give up after this many seconds (exit code 1).", 0.0, 31_536_000.0);

    public static Command Create() => new Verb(
        "watch",
        "Show what happens to jobs as it happens, from their submission to their ends, a line an event; with --output json "
        + "or jsonl an object a line. Exit codes as those of job wait.",
        "meshledger job watch echo-example-001", "meshledger job watch echo-example-001 --output jsonl")
    {
        Ids, Limit,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var jobs = call.Get(Ids)!.Distinct().Select(JobWaitCommand.ParseId).ToList();
        await using var ledger = await LedgerSession.OpenAsync(call);
        var writer = new Lines(call, ledger, jobs.Max(job => job.ToString().Length));
        var follower = new JobFollower(call, ledger, jobs);
        await follower.RunAsync(writer.WriteAsync, call.Get(Limit) is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        if (follower.Reason is { } reason)
        {
            Messages.Say($"meshledger: {reason}");
        }

        return follower.ExitCode;
    }

    private sealed class Lines(Call call, LedgerSession ledger, int idLength)
    {
        private Registry _registry = new();
        private JobId _progressOf;

        public async Task WriteAsync(JobId job, RecordedEvent recorded, JobState state)
        {
            var statement = recorded.Statement;
            await LearnAsync(statement.By, state);
            var names = Names.Of(_registry);
            var row = JobHistoryCommand.Row(recorded);
            row.Insert(0, "job_id", job.ToString());
            row.Insert(1, "status", state.Status.Name());
            row["worker_id"] = names.WorkerId(statement.By);
            call.Output.Item(row, () => WriteText(job, statement, names));
        }

        private void WriteText(JobId job, Statement statement, Names names)
        {
            var isProgress = statement.Body is JobEvent.ProgressReported;
            if (call.Output.IsTerminal && isProgress && _progressOf == job)
            {
                call.Output.Control(Again);
            }

            _progressOf = isProgress ? job : default;
            var text = JobEventText.Of(statement.Body, names, withBar: call.Output.IsTerminal);
            call.Output.Line(
                $"{JobEventText.Clock(statement.Time)}  {job.ToString().PadRight(idLength)}  {statement.Type,-23}  "
                + $"{names.Role(statement.By),-16}  {text}".TrimEnd());
        }

        /// <summary>Who is who may have changed since the last look.</summary>
        private async Task LearnAsync(Did author, JobState state)
        {
            if (author != state.Submitter && !_registry.IsNode(author) && _registry.Worker(author) is null)
            {
                _registry = await ledger.LoadRegistryAsync(call.Stop);
            }
        }
    }
}
