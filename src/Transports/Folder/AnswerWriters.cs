using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using MeshLedger.Domain.Jobs;
using MeshLedger.Transports.Folder.Posix;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Transports.Folder;

/// <summary>A file that this node has taken: its name in the node's own directory.</summary>
internal sealed record Claim(EntryName Name, FileIdentity Identity);

/// <summary>What is given back for a claimed file: a result, a reason why it failed, or both.</summary>
internal sealed record Answer(Claim Claim, JobId JobId, JobResult? Result, FailureReason? Failure);

/// <summary>
/// A few threads that write answers. The order makes a crash harmless: first the result, flushed and renamed into place,
/// then the reason of a failure, and only then is the claimed file moved away. As long as it stands in the node's
/// directory the answer is owed; writing it a second time gives the same bytes. Threads, since flushing blocks.
/// </summary>
internal sealed class AnswerWriters : IDisposable
{
    private const int Writers = 4;
    private const int MaxBatch = 64;
    private const string ErrorSuffix = ".error.json";
    private const int MaxFailedName = EntryName.MaxBytes - 11;
    private readonly FolderPlaces _places;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly BlockingCollection<Request> _requests = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Thread[] _threads;

    public AnswerWriters(FolderPlaces places, TimeProvider time, ILogger logger)
    {
        _places = places;
        _time = time;
        _logger = logger;
        _threads = [.. Enumerable.Range(0, Writers).Select(index => new Thread(() => Run(index))
        {
            IsBackground = true,
            Name = $"folder answers {index}",
        })];
        foreach (var thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>Returns once the answer is on disk and the claimed file is out of the node's directory, or was found
    /// to have been taken over by another node.</summary>
    /// <exception cref="FolderIOException">Not all was done; call again.</exception>
    public Task WriteAsync(Answer answer, CancellationToken cancellationToken)
    {
        var request = new Request(answer, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _requests.Add(request, cancellationToken);
        return request.Written.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Returns once the threads have ended; what was not written stays owed.</summary>
    public void Dispose()
    {
        _stopping.Cancel();
        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _requests.Dispose();
        _stopping.Dispose();
    }

    private void Run(int index)
    {
        // In the node's own directory, so that nothing half-written is ever seen among the results.
        var temporary = EntryName.FromText($".answer-{index}");
        var batch = new List<Request>(MaxBatch);
        try
        {
            while (true)
            {
                batch.Clear();
                batch.Add(_requests.Take(_stopping.Token));
                while (batch.Count < MaxBatch && _requests.TryTake(out var next))
                {
                    batch.Add(next);
                }

                WriteBatch(batch, temporary);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private void WriteBatch(List<Request> batch, EntryName temporary)
    {
        var renamed = false;
        foreach (var request in batch)
        {
            Try(request, () => renamed |= PutResult(request.Answer, temporary));
        }

        // One flush for the batch: a power cut must not keep the claimed file's move and lose the result's.
        if (renamed)
        {
            foreach (var failure in FlushFailure())
            {
                batch.ForEach(request => request.Written.TrySetException(failure));
            }
        }

        foreach (var request in batch.Where(request => !request.Written.Task.IsFaulted))
        {
            Try(request, () =>
            {
                PutAway(request.Answer, temporary);
                request.Written.TrySetResult();
            });
        }
    }

    private static void Try(Request request, Action step)
    {
        try
        {
            step();
        }
        catch (FolderIOException failure)
        {
            request.Written.TrySetException(failure);
        }
    }

    private IEnumerable<FolderIOException> FlushFailure()
    {
        try
        {
            _places.Results.Flush();
            return [];
        }
        catch (FolderIOException failure)
        {
            return [failure];
        }
    }

    private bool PutResult(Answer answer, EntryName temporary)
    {
        if (answer.Result is not { } result)
        {
            return false;
        }

        var name = EntryName.FromText($"{answer.JobId}.result.json");
        if (_places.Results.Read(name, result.Json.Length) is FileReading.Content existing
            && result.Json.Span.SequenceEqual(existing.Bytes))
        {
            return false;
        }

        _places.Own.WriteDurably(temporary, result.Json.Span);
        _places.Own.Replace(temporary, _places.Results, name);
        return true;
    }

    private void PutAway(Answer answer, EntryName temporary)
    {
        var outcome = answer.Failure is { } failure
            ? MoveToFailed(answer.Claim, failure, temporary)
            : MoveToDone(answer.Claim);
        if (outcome == MoveOutcome.SourceGone)
        {
            Log.TakenAway(_logger, answer.Claim.Name.ToString());
        }
    }

    private MoveOutcome MoveToDone(Claim claim)
    {
        var name = claim.Name;
        while (true)
        {
            var outcome = _places.Own.Move(claim.Name, _places.Done, name, claim.Identity, _places.Renaming);
            if (outcome != MoveOutcome.TargetTaken)
            {
                return outcome;
            }

            name = claim.Name.Tagged(NewTag(_time), EntryName.MaxBytes);
        }
    }

    // The error file takes the name first, complete and never over another, and only then the file follows: whoever sees
    // the file sees its reason, and two nodes with files of one name do not mix up their reasons. An error file with the
    // very same bytes is this one, written before a crash, or as good as this one.
    private MoveOutcome MoveToFailed(Claim claim, FailureReason failure, EntryName temporary)
    {
        var name = claim.Name.Length <= MaxFailedName ? claim.Name : claim.Name.Tagged(NewTag(_time), MaxFailedName);
        var written = _places.Own.WriteDurably(temporary, failure.Json);
        while (true)
        {
            if (!IsTakenByAnother(name, claim) && TakeErrorName(name.Append(ErrorSuffix), failure, temporary, written))
            {
                var outcome = _places.Own.Move(claim.Name, _places.Failed, name, claim.Identity, _places.Renaming);
                if (outcome != MoveOutcome.TargetTaken)
                {
                    return outcome;
                }

                written = _places.Own.WriteDurably(temporary, failure.Json);
            }

            name = claim.Name.Tagged(NewTag(_time), MaxFailedName);
        }
    }

    private bool IsTakenByAnother(EntryName name, Claim claim) =>
        _places.Failed.Status(name) is { } status && status.Identity != claim.Identity;

    private bool TakeErrorName(EntryName name, FailureReason failure, EntryName temporary, FileIdentity written)
    {
        if (_places.Own.Move(temporary, _places.Failed, name, written, _places.Renaming) != MoveOutcome.TargetTaken)
        {
            return true;
        }

        var same = _places.Failed.Read(name, failure.Json.Length) is FileReading.Content existing
            && existing.Bytes.AsSpan().SequenceEqual(failure.Json);
        if (same)
        {
            _places.Own.Remove(temporary);
        }

        return same;
    }

    /// <summary>Tells apart files that were dropped under one name.</summary>
    public static string NewTag(TimeProvider time)
    {
        var now = time.GetUtcNow().ToString("yyyyMMdd'T'HHmmssfff", CultureInfo.InvariantCulture);
        return $"{now}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";
    }

    private sealed record Request(Answer Answer, TaskCompletionSource Written);
}
