using System.Data.Common;
using System.Net.Sockets;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder.Posix;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Transports.Folder;

/// <summary>The way of one claimed file to its answer: read, submit, wait for the result, write. Whatever fails on the
/// way begins again with the reading, since the same content is the same job; nothing is kept in between.</summary>
internal sealed class ClaimedJob(
    FolderPlaces places,
    AnswerWriters writers,
    IJobIntake intake,
    string transport,
    SemaphoreSlim submits,
    FailureLog failures,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>Returns once the answer is written, or the file was found to be somebody else's. The caller holds one
    /// of <paramref name="cancellationToken"/>'s session's submit slots, which this gives back.</summary>
    public async Task AnswerAsync(Claim claim, CancellationToken cancellationToken)
    {
        Answer? answer = null;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                answer ??= await AskAsync(claim, cancellationToken);
                if (answer is not null)
                {
                    await writers.WriteAsync(answer, cancellationToken);
                }

                return;
            }
            catch (Exception failure) when (Passes(failure, cancellationToken))
            {
                failures.Report(failure is FolderIOException io ? $"To {io.Operation}" : "Asking the node", failure);
            }

            await Task.Delay(BackOff.After(attempt), time, cancellationToken);
            if (answer is null)
            {
                await submits.WaitAsync(cancellationToken);
            }
        }
    }

    private async Task<Answer?> AskAsync(Claim claim, CancellationToken cancellationToken)
    {
        var step = await SubmitAsync(claim, cancellationToken);
        if (step.Failure is { } failure)
        {
            Log.NotAccepted(logger, claim.Name.ToString(), failure.Code, failure.Message);
            return new Answer(claim, step.JobId, null, failure);
        }

        if (step.JobId.IsDefault)
        {
            return null;
        }

        var result = await intake.ResultAsync(step.AnsweredBy, cancellationToken);
        return new Answer(claim, step.JobId, result, result.Succeeded ? null : ErrorFile.Of(result));
    }

    // Apart from the waiting for results, so that the document's bytes can be freed meanwhile.
    private async Task<(JobId JobId, JobId AnsweredBy, FailureReason? Failure)> SubmitAsync(
        Claim claim, CancellationToken cancellationToken)
    {
        try
        {
            switch (places.Own.Read(claim.Name, JobDocument.MaxBytes))
            {
                case FileReading.Gone:
                    Log.TakenAway(logger, claim.Name.ToString());
                    return default;
                case FileReading.NotAFile other:
                    return (default, default, ErrorFile.Of(other));
                case FileReading.TooLarge large:
                    return (default, default, ErrorFile.Of(large));
                case FileReading.Content content:
                    var reading = JobDocumentReader.Read(content.Bytes);
                    return reading.Document is { } document
                        ? await SubmitAsync(document, cancellationToken)
                        : (default, default, ErrorFile.Of(reading.Faults));
                case var unknown:
                    throw new InvalidOperationException($"No way to go on from {unknown}.");
            }
        }
        finally
        {
            submits.Release();
        }
    }

    private async Task<(JobId JobId, JobId AnsweredBy, FailureReason? Failure)> SubmitAsync(
        JobDocument document, CancellationToken cancellationToken) =>
        await intake.SubmitAsync(document, transport, cancellationToken) switch
        {
            Submission.Accepted accepted => (document.JobId, accepted.JobId, null),
            Submission.Duplicate duplicate => (document.JobId, duplicate.AnsweredBy, null),
            Submission.Refused refused => (document.JobId, default, ErrorFile.Of(document.JobId, refused)),
            var unknown => throw new InvalidOperationException($"No way to go on from {unknown}."),
        };

    // Disk, network and database come back; a job that is not found is submitted again. Anything else is not known to
    // pass, and must not be hidden by trying for ever.
    private static bool Passes(Exception failure, CancellationToken cancellationToken) => failure
        is IOException or TimeoutException or DbException or HttpRequestException or SocketException
            or KeyNotFoundException
        || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested);
}
