using System.Collections.Concurrent;
using System.Threading.Channels;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools.Hosting;

/// <summary>
/// Keeps copies of other nodes' checkpoints: one whose node is gone could not go on anywhere. Which nodes keep one is drawn
/// from its hash and the addresses at which blobs are served, so that every node draws the same. A newer checkpoint of a job
/// takes the place of one that was not fetched yet.
/// </summary>
/// <param name="copies">How many nodes keep one beside that which made it; 0: none.</param>
/// <param name="address">Where this node serves its blobs; null: nowhere, and nobody could have its copies.</param>
internal sealed class CheckpointCopies(BlobFetcher fetcher, int copies, Func<string?> address, ILogger log)
{
    private readonly ConcurrentDictionary<JobId, JobEvent.CheckpointRecorded> _wanted = new();
    private readonly Channel<JobId> _jobs = Channel.CreateUnbounded<JobId>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Takes note; never waits.</summary>
    public void Note(JobId job, JobEvent.CheckpointRecorded checkpoint)
    {
        if (copies > 0 && !fetcher.Store.Has(checkpoint.State) && IsChosen(checkpoint.State))
        {
            _wanted[job] = checkpoint;
            _jobs.Writer.TryWrite(job);
        }
    }

    /// <summary>Fetches until cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await foreach (var job in _jobs.Reader.ReadAllAsync(stop))
            {
                if (!_wanted.TryRemove(job, out var checkpoint))
                {
                    continue;
                }

                try
                {
                    await fetcher.FetchAsync(checkpoint.State, checkpoint.Size, progress: null, stop);

                    // The ledger refers to it, which alone keeps it.
                    fetcher.Store.LetGo(checkpoint.State);
                }
                catch (IOException exception)
                {
                    Log.CheckpointNotCopied(log, job.ToString(), checkpoint.Sequence, exception.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end.
        }
    }

    /// <summary>Whether this node is among the first of those that serve blobs, in an order that the hash draws. One more
    /// than asked for counts, for the node that made it may be among them.</summary>
    private bool IsChosen(BlobHash state)
    {
        if (address() is not { } own)
        {
            return false;
        }

        var drawn = Draw(state, own);
        return fetcher.Peers.Addresses.Count(peer =>
            string.CompareOrdinal(Draw(state, peer.ToString()), drawn) < 0) <= copies;
    }

    private static string Draw(BlobHash state, string address) =>
        Digest.OfBytes(System.Text.Encoding.UTF8.GetBytes($"{state} {address.TrimEnd('/')}")).ToString();
}
