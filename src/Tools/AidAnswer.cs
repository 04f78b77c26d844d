using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary>What becomes of a request for aid in the moment after it was made.</summary>
internal static class AidAnswer
{
    /// <summary>A node that runs answers within milliseconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Waits for the answer, if there is a template for it and a node may be running.</summary>
    /// <param name="head">A position of the log before the request.</param>
    /// <returns>The template's name; null if none shares a tag.</returns>
    public static async Task<(string? Template, bool IsAnswered)> AwaitAsync(
        Call call, LedgerSession ledger, StreamId request, long head)
    {
        var board = (await ledger.LoadRegistryAsync(call.Stop)).Aid;
        var fitting = board.Matches().FirstOrDefault(match => match.Request.Stream == request).Template;
        if (fitting is null && board.Request(request)?.Job is null)
        {
            return (null, false);
        }

        if (call.Postgres is null && !call.Data.IsHeld())
        {
            return (fitting?.Name, fitting is null);
        }

        return await MatchAsync(call, ledger, request, head) is { } match
            ? ((board.Template(match.Template) ?? fitting)?.Name, true)
            : (fitting?.Name, false);
    }

    /// <summary>Null if it does not come in time.</summary>
    private static async Task<AidEvent.Matched?> MatchAsync(Call call, LedgerSession ledger, StreamId request, long head)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(call.Stop);
        limit.CancelAfter(Patience);
        try
        {
            await foreach (var batch in ledger.Store.FollowAsync(head, limit.Token))
            {
                var match = batch.Where(recorded => recorded.Statement.Stream == request)
                    .Select(recorded => recorded.Statement.Body).OfType<AidEvent.Matched>().FirstOrDefault();
                if (match is not null)
                {
                    return match;
                }
            }
        }
        catch (OperationCanceledException) when (!call.Stop.IsCancellationRequested)
        {
            // The request is open still.
        }

        call.Stop.ThrowIfCancellationRequested();
        return null;
    }
}
