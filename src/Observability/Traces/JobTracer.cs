using System.Data.Common;
using System.Diagnostics;
using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability.Traces;

/// <summary>
/// Makes a trace of each job that this node ended, from the job's events: the node that signed the end makes it, so it is
/// made once, however many nodes follow the log. A node that dies between the end and the trace leaves none.
/// </summary>
internal sealed class JobTracer(IEventStore store, Did node, TimeProvider clock, ILogger log)
{
    public const string SourceName = "MeshLedger.Jobs";

    private static readonly ActivitySource Source = new(SourceName);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var position = -1L;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (position < 0)
                {
                    position = await store.HeadAsync(stopping);
                }

                await foreach (var batch in store.FollowAsync(position, stopping))
                {
                    foreach (var recorded in batch)
                    {
                        var statement = recorded.Statement;
                        if (statement.By == node && EventNames.Ends.ContainsKey(statement.Type)
                            && statement.Stream.IsJob(out var job))
                        {
                            JobTrace.Emit(Source, job, await store.LoadAsync(statement.Stream, stopping));
                        }

                        position = recorded.Position;
                    }
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is DbException or IOException or TimeoutException)
            {
                Log.TracePostponed(log, exception.Message);
                await Task.Delay(Pause, clock, CancellationToken.None);
            }
        }
    }
}
