using System.CommandLine;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary>Which of a job's runs are shown, and under which names: the workers may register while one looks on.</summary>
internal sealed class RunFilter(LedgerSession ledger, string? wanted)
{
    private Registry _registry = new();

    public static Option<string?> NewOption() => new("--worker")
    {
        Description = "Only what this worker told, where several run the job.",
        HelpName = "ID|DID",
    };

    public static Option<bool> NewFollow() => new("--follow", "-f")
    {
        Description = "Go on with what comes, until the job has ended.",
    };

    public static Option<bool> NewRaw(string description) => new("--raw") { Description = description };

    public async Task<bool> TakesAsync(Did worker, CancellationToken cancellationToken)
    {
        if (_registry.Worker(worker) is null)
        {
            _registry = await ledger.LoadRegistryAsync(cancellationToken);
        }

        return wanted is null || wanted == worker.ToString() || wanted == NameOf(worker);
    }

    public string NameOf(Did worker) =>
        _registry.Worker(worker)?.Facts.WorkerId ?? Names.Short(worker.ToString());

    /// <summary>Reads a job's events: what there is, and with <paramref name="follow"/> what comes.</summary>
    /// <returns>0 if the job succeeded or was only looked at; as <c>job wait</c> otherwise.</returns>
    /// <exception cref="CommandFailure">There is no such job.</exception>
    public static async Task<int> ReadAsync(
        Call call, LedgerSession ledger, JobId job, bool follow, Func<RecordedEvent, JobState, Task> take)
    {
        if (follow)
        {
            var follower = new JobFollower(call, ledger, [job]);
            await follower.RunAsync((_, recorded, state) => take(recorded, state));
            if (follower.Reason is { } reason)
            {
                Messages.Say($"meshledger: {reason}");
            }

            return follower.ExitCode;
        }

        JobState? state = null;
        foreach (var recorded in await ledger.Store.LoadAsync(StreamId.OfJob(job), call.Stop))
        {
            state = Job.Evolve(state, EventFact.Of(recorded.Statement));
            await take(recorded, state);
        }

        return state is null
            ? throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.")
            : ExitCodes.Ok;
    }
}
