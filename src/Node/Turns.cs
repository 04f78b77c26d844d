using System.Buffers.Binary;
using System.Numerics;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>
/// Whom a busy market asks first. When more jobs are open than the workers can run, it makes no sense that all of them bid
/// on each: every bid but one is in vain, and keeps room that other jobs could use. So each job is for a few of the workers
/// that could run it, drawn by rendezvous hashing from the job and their keys: all nodes draw the same without a word, and
/// each worker gets its share. They are workers of one node where it has enough, so that two nodes do not write one job's
/// stream at once. The others are asked when those few have not taken the job for a while.
/// </summary>
internal static class Turns
{
    /// <summary>After this, the others are asked, too.</summary>
    public static readonly TimeSpan Length = TimeSpan.FromMilliseconds(250);

    /// <summary>Null: all.</summary>
    public static IReadOnlySet<Did>? Of(JobState state, WorkerLinks workers, int openJobs, int askFirst)
    {
        var room = workers.Live.Sum(worker => (long)worker.Facts.MaxConcurrentJobs);
        if (askFirst == 0 || state.Attempt > 1 || openJobs <= 2 * room)
        {
            return null;
        }

        var count = askFirst * state.Submission.Terms.Replicas;
        var able = workers.Live.Where(worker => workers.CouldRun(worker, state)).Select(worker => worker.Worker).ToArray();
        if (able.Length <= count)
        {
            return null;
        }

        Array.Sort(Array.ConvertAll(able, worker => Rank(state.SubmissionDigest, worker)), able);
        var node = workers.NodeOf(able[0]);
        return able.OrderBy(worker => workers.NodeOf(worker) != node).Take(count).ToHashSet();
    }

    private static ulong Rank(Digest job, Did worker)
    {
        Span<byte> bytes = stackalloc byte[32];
        job.CopyTo(bytes);
        var mixed = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        worker.CopyKeyTo(bytes);
        mixed ^= BitOperations.RotateLeft(BinaryPrimitives.ReadUInt64BigEndian(bytes), 1);

        // The finalizer of SplitMix64.
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
