using System.Data.Common;
using System.Diagnostics;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability.Traces;

/// <summary>
/// Makes a trace of each job that this node ended, from the job's events: the node that signed the end makes it, so it
/// is made once, however many nodes follow the log. A node that dies between the end and the trace leaves none; one that
/// is asked to stop makes those of the jobs that ended before.
/// </summary>
internal sealed class JobTracer(IEventStore store, Did node, TimeProvider clock, ILogger log)
{
    private const int Batch = 1000;

    public const string SourceName = "MeshLedger.Jobs";

    private static readonly ActivitySource Source = new(SourceName);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(2);

    // Written only by RunAsync.
    private long _position = -1;

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (_position < 0)
                {
                    _position = await store.HeadAsync(stopping);
                }

                await foreach (var batch in store.FollowAsync(_position, stopping))
                {
                    await TakeAsync(batch, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                // The node stops.
            }
            catch (Exception exception) when (exception is DbException or IOException or TimeoutException)
            {
                Log.TracePostponed(log, exception.Message);
                await Task.Delay(Pause, clock, CancellationToken.None);
            }
        }

        await TakeRestAsync();
    }

    /// <summary>What the log held when the node was asked to stop.</summary>
    private async Task TakeRestAsync()
    {
        using var limit = new CancellationTokenSource(LastPatience, clock);
        try
        {
            while (_position >= 0 && await store.ReadAfterAsync(_position, Batch, limit.Token) is { Count: > 0 } batch)
            {
                await TakeAsync(batch, limit.Token);
            }
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or DbException or IOException or TimeoutException)
        {
            Log.TracesLost(log, exception.Message);
        }
    }

    private async Task TakeAsync(IReadOnlyList<RecordedEvent> batch, CancellationToken cancellationToken)
    {
        foreach (var recorded in batch)
        {
            var statement = recorded.Statement;
            if (statement.By == node && EventNames.Ends.ContainsKey(statement.Type)
                && statement.Stream.IsJob(out var job))
            {
                JobTrace.Emit(Source, job, await store.LoadAsync(statement.Stream, cancellationToken));
            }

            _position = recorded.Position;
        }
    }
}
