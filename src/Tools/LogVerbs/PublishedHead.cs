using System.Globalization;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.LogVerbs;

/// <summary>The published tree head, for verbs that need one which has an event that was only just appended.</summary>
internal static class PublishedHead
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Silent = TimeSpan.FromSeconds(1);

    /// <summary>The published head, once it has a position: a moment after the event. Who waits longer is told so.</summary>
    /// <exception cref="CommandFailure">It did not come, or there is no log.</exception>
    public static async Task<(SignedHead Head, LogKeys Keys)> WithAsync(Call call, ILogSource source, long position)
    {
        var began = TimeProvider.System.GetTimestamp();
        var isTold = false;
        while (true)
        {
            try
            {
                var keys = await LogCommands.KeysAsync(call, source);
                var head = await LogCommands.LatestAsync(call, source, keys);
                if (head.Head.Size >= position)
                {
                    return (head, keys);
                }

                if (IsLate())
                {
                    throw new CommandFailure(ExitCodes.Failed, await WhyNotAsync(call, source, keys, head.Head.Size, position));
                }
            }
            catch (CommandFailure failure) when (failure.ExitCode == ExitCodes.NotFound)
            {
                // A node that has just begun to run has not made it yet.
                if (IsLate())
                {
                    if (await LogHeads.KeysAsync(source, call.Stop) is { } keys && await SignedAsync(source, keys, call.Stop) > 0)
                    {
                        throw new CommandFailure(ExitCodes.Failed, await WhyNotAsync(call, source, keys, 0, position));
                    }

                    throw;
                }
            }

            if (!isTold && TimeProvider.System.GetElapsedTime(began) > Silent)
            {
                isTold = true;
                Messages.Say($"waiting for the log to publish position {Number(position)}...");
            }

            await Task.Delay(100, call.Stop);
        }

        bool IsLate() => !call.Data.IsHeld() || TimeProvider.System.GetElapsedTime(began) > Patience;
    }

    /// <summary>A head that was signed and is not published waits for witnesses, or for a node's next start.</summary>
    private static async Task<string> WhyNotAsync(Call call, ILogSource source, LogKeys keys, long published, long position)
    {
        var signed = await SignedAsync(source, keys, call.Stop);
        var has = $"the log's published tree head has {Number(published)} entries, and position {Number(position)} comes after. ";
        return has + (signed > published, call.Data.IsHeld()) switch
        {
            (true, true) => $"The log is signed up to {Number(signed)}, which is not published since cosignatures of witnesses are "
                + "missing: the node's log names those that do not answer (1022), and it publishes once enough did.",
            (true, false) => $"The log is signed up to {Number(signed)}: a node (meshledger up) publishes it at its next start, once enough "
                + "witnesses cosigned it.",
            (false, true) => "The node that runs has not signed it: its log says why (1020).",
            (false, false) => "It is published while a node runs (meshledger up).",
        };
    }

    /// <summary>The size of the latest head that was signed; 0 if there is none.</summary>
    private static async Task<long> SignedAsync(ILogSource source, LogKeys keys, CancellationToken cancellationToken)
    {
        var size = 0L;
        await foreach (var head in LogHeads.ReadAsync(source, keys, cancellationToken))
        {
            size = head?.Head.Size ?? size;
        }

        return size;
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
