using System.IO.Pipelines;
using MeshLedger.Blobs;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

/// <summary>
/// An attempt's checkpoints: the one that it may go on from, and those that it makes. A state is durable in this node's
/// store before the ledger is told of it. Used by one thread at a time.
/// </summary>
public sealed class Checkpoints
{
    private readonly WorkerNotice.Assigned? _assigned;
    private readonly BlobStore? _blobs;
    private readonly Func<JobEvent.CheckpointRecorded, Task<Refusal?>> _post;
    private readonly ILogger? _log;
    private Task _posted = Task.CompletedTask;

    internal Checkpoints(
        WorkerNotice.Assigned? assigned, BlobStore? blobs, Func<JobEvent.CheckpointRecorded, Task<Refusal?>> post,
        ILogger? log)
    {
        (_assigned, _blobs, _post, _log) = (assigned, blobs, post, log);
        Count = assigned?.Checkpoints ?? 0;
    }

    /// <summary>Of an operation that nobody waits to take over.</summary>
    public static Checkpoints None => new(null, null, _ => Task.FromResult<Refusal?>(null), null);

    /// <summary>What the run may go on from, the latest first; none: it begins at the beginning.</summary>
    public IReadOnlyList<SavedState> Saved => _assigned?.Saved ?? [];

    /// <summary>Where the run began, as it said by <see cref="Resumed"/>.</summary>
    public CheckpointName? ResumedFrom { get; private set; }

    /// <summary>How many checkpoints the run has made, before it was cut off, too.</summary>
    public long Count { get; private set; }

    /// <summary>The run goes on from one of <see cref="Saved"/>, which the ledger alone keeps from now on.</summary>
    public void Resumed(SavedState saved)
    {
        ResumedFrom = saved.Name;
        _blobs?.LetGo(ResumedFrom.State);
        if (_log is not null)
        {
            Log.Resumed(
                _log, _assigned!.JobId.ToString(), _assigned.Attempt, ResumedFrom.Sequence, ResumedFrom.Attempt,
                ResumedFrom.Worker.ToString());
        }
    }

    /// <summary>The run does not go on from one of <see cref="Saved"/>, though it is later than any that it may go on from.
    /// </summary>
    public void NotResumed(SavedState saved, string why)
    {
        if (_log is not null)
        {
            Log.NotResumed(
                _log, _assigned!.JobId.ToString(), _assigned.Attempt, saved.Name.Sequence, saved.Name.Attempt, why);
        }
    }

    /// <summary>Keeps a state and tells the ledger. Returns once the state is durable; the ledger's answer comes later. Does
    /// nothing while the answer to the one before has not come: the ledger is behind, and newer ones would only wait.
    /// </summary>
    /// <param name="write">Writes the state; called on the calling thread.</param>
    /// <returns>Null, or why it could not be kept, which is no fault of the guest's.</returns>
    public string? Record(Action<Stream> write, long fuel, EngineName engine, CancellationToken cancellationToken)
    {
        if (_assigned is null || _blobs is null || !_posted.IsCompleted)
        {
            return null;
        }

        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 8 << 20, resumeWriterThreshold: 4 << 20));
        var adding = Task.Run(() => AddAsync(pipe.Reader, cancellationToken), CancellationToken.None);
        AddedBlob added;
        try
        {
            using (var stream = pipe.Writer.AsStream(leaveOpen: true))
            {
                write(stream);
            }

            pipe.Writer.Complete();
            added = adding.GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException)
        {
            // A state that cannot be written, or not kept: what was begun of it is not a blob.
            pipe.Writer.Complete(new IOException(exception.Message, exception));
            Task.WaitAny([adding], CancellationToken.None);
            return exception.Message;
        }

        _posted = TellAsync(new JobEvent.CheckpointRecorded(
            _assigned.Attempt, ++Count, added.Hash, added.Size, engine, fuel, ResumedFrom));
        return null;
    }

    /// <summary>Once the ledger refers to a state, that alone keeps it: one that a newer has replaced is worth no room.
    /// </summary>
    private async Task TellAsync(JobEvent.CheckpointRecorded checkpoint)
    {
        await _post(checkpoint);
        _blobs!.LetGo(checkpoint.State);
    }

    private async Task<AddedBlob> AddAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = reader.AsStream();
            return await _blobs!.AddAsync(stream, BlobAddition.Plain, cancellationToken);
        }
        finally
        {
            // Who writes is not held up by a reader that has failed.
            await reader.CompleteAsync();
        }
    }
}
