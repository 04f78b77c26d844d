using System.Threading.Channels;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Projections.Accounts;
using MeshLedger.Projections.BlobReferences;
using MeshLedger.Projections.EventIndex;
using MeshLedger.Projections.JobRuns;
using MeshLedger.Projections.JobStatus;
using MeshLedger.Projections.Reputation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Projections;

/// <summary>How far a projection is.</summary>
/// <param name="Head">The log's last position.</param>
public sealed record ProjectionPosition(string Name, long Position, long Head);

/// <summary>All projections, kept up while it runs. Any number of processes may run it on one database.</summary>
public sealed class ProjectionSet(
    IEventStore store, NpgsqlDataSource database, TimeProvider clock, ILogger<ProjectionSet> log)
{
    /// <summary>What comes within this time is written together: a job's many events in one row's one change.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(100);

    private const int MaxGathered = 5000;

    /// <summary>A projection that has not moved for so long, and should have, is nobody's.</summary>
    private static readonly TimeSpan StandBy = TimeSpan.FromSeconds(2);

    private readonly ProjectionRunner[] _runners = [.. Table.Select(make => new ProjectionRunner(make(), store, database))];

    /// <summary>The names: <c>job_status</c>, <c>worker_reputation</c>, <c>accounts</c>,
    /// <c>blob_references</c>, <c>event_index</c>, <c>job_runs</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(make => make().Name)];

    private static Func<IProjection>[] Table =>
    [
        () => new JobStatusProjection(),
        () => new ReputationProjection(),
        () => new AccountsProjection(),
        () => new BlobReferencesProjection(),
        () => new EventIndexProjection(),
        () => new JobRunsProjection(),
    ];

    /// <summary>Keeps every projection up with the log until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(_runners.Select(runner => RunAsync(runner, stopping)));

    /// <summary>Brings every projection up to the log's head as it is now.</summary>
    public async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        foreach (var name in Names)
        {
            await CatchUpAsync(name, cancellationToken);
        }
    }

    /// <summary>Brings one projection up to the log's head as it is now.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public async Task CatchUpAsync(string name, CancellationToken cancellationToken)
    {
        var runner = Find(name);
        await runner.EnsureAsync(cancellationToken);
        await runner.CatchUpAsync(progress: null, cancellationToken);
    }

    /// <summary>Drops a projection's table and builds it again from the first event. Others may go on following the
    /// log meanwhile.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="progress">Gets the position reached.</param>
    public async Task RebuildAsync(string name, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var runner = Find(name);
        await runner.EnsureAsync(cancellationToken);
        await runner.ResetAsync(cancellationToken);
        await runner.CatchUpAsync(progress, cancellationToken);
    }

    /// <summary>Builds a projection from the first event up to where it stands, beside what is stored, and compares the two
    /// row by row. Nothing stays, and nothing is changed.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="progress">Gets the position reached.</param>
    public Task<ProjectionComparison> CompareAsync(
        string name, IProgress<long>? progress, CancellationToken cancellationToken) =>
        ProjectionComparison.RunAsync(
            Table.Select(make => make()).Single(made => made.Name == name), store, database, progress, cancellationToken);

    public async Task<IReadOnlyList<ProjectionPosition>> ListAsync(CancellationToken cancellationToken)
    {
        var head = await store.HeadAsync(cancellationToken);
        var positions = new List<ProjectionPosition>();
        foreach (var runner in _runners)
        {
            positions.Add(new ProjectionPosition(runner.Name, await runner.PositionAsync(cancellationToken), head));
        }

        return positions;
    }

    private ProjectionRunner Find(string name) => _runners.FirstOrDefault(runner => runner.Name == name)
        ?? throw new ArgumentException(
            $"There is no projection '{name}': expected one of {string.Join(", ", Names)}.", nameof(name));

    private async Task RunAsync(ProjectionRunner runner, CancellationToken stopping)
    {
        var delay = TimeSpan.FromMilliseconds(100);
        var overtaken = 0L;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await runner.EnsureAsync(stopping);
                await runner.CatchUpAsync(progress: null, stopping);
                delay = TimeSpan.FromMilliseconds(100);
                await FollowAsync(runner, stopping);

                // Once may have been a command that wanted to read; twice is a node that does what this one does.
                if (overtaken != 0 && clock.GetElapsedTime(overtaken) < StandBy)
                {
                    await StandByAsync(runner, stopping);
                }

                overtaken = clock.GetTimestamp();
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or IOException or TimeoutException)
            {
                Log.Postponed(
                    log, runner.Name, delay.TotalMilliseconds, exception.InnerException?.Message ?? exception.Message);
                await Task.Delay(delay, clock, stopping)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                delay = delay < TimeSpan.FromSeconds(5) ? delay * 2 : delay;
            }
        }
    }

    /// <summary>Waits while another process keeps a projection up: two that do it hinder each other.</summary>
    private async Task StandByAsync(ProjectionRunner runner, CancellationToken stopping)
    {
        for (var before = -1L; ;)
        {
            var position = await runner.PositionAsync(stopping);
            if (position == before && position < await store.HeadAsync(stopping))
            {
                return;
            }

            before = position;
            await Task.Delay(StandBy, clock, stopping);
        }
    }

    /// <summary>Until another process moves the projection.</summary>
    private async Task FollowAsync(ProjectionRunner runner, CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var batches = Channel.CreateBounded<IReadOnlyList<RecordedEvent>>(256);
        var reading = ReadAsync(await runner.PositionAsync(stopping), batches.Writer, ending.Token);
        try
        {
            var gathered = new List<RecordedEvent>();
            while (await batches.Reader.WaitToReadAsync(stopping))
            {
                await Task.Delay(Gather, clock, stopping);
                while (gathered.Count < MaxGathered && batches.Reader.TryRead(out var batch))
                {
                    gathered.AddRange(batch);
                }

                if (!await runner.FollowAsync(gathered, stopping))
                {
                    return;
                }

                gathered.Clear();
            }
        }
        finally
        {
            await ending.CancelAsync();
            await reading;
        }
    }

    private async Task ReadAsync(
        long position, ChannelWriter<IReadOnlyList<RecordedEvent>> batches, CancellationToken ending)
    {
        try
        {
            await foreach (var batch in store.FollowAsync(position, ending))
            {
                await batches.WriteAsync(batch, ending);
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Whoever gathers has ended.
        }
        catch (InvalidHistoryException exception)
        {
            batches.Complete(exception);
            return;
        }

        batches.TryComplete();
    }
}
