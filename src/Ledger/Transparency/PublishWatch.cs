using Microsoft.Extensions.Logging;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Says that a log waits for its witnesses: once, again when it is for another reason or a minute has passed, and
/// when it is over. Used by the publisher's loop alone.</summary>
internal sealed class PublishWatch(TimeProvider clock, ILogger log)
{
    private readonly Repeats<string> _told = new(clock);
    private long? _since;

    /// <summary>A head has not the cosignatures that it needs.</summary>
    public void Missed(long size, int count, int quorum)
    {
        _since ??= clock.GetTimestamp();
        if (_told.IsNew("", $"{count} of {quorum}"))
        {
            Log.QuorumMissed(log, size, count, quorum);
        }
    }

    /// <summary>A head is published.</summary>
    public void Shown(long size)
    {
        if (_since is { } since)
        {
            Log.LogGoesOn(log, size, clock.GetElapsedTime(since).TotalSeconds);
        }

        _since = null;
        _told.Forget("");
    }
}

/// <summary>Which of the things that happen again and again are worth another line: those that happen for another reason
/// than before, or of which a minute ago something was said. Not for concurrent use.</summary>
internal sealed class Repeats<T>(TimeProvider clock)
    where T : notnull
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Dictionary<T, (string Reason, long At)> _said = [];

    /// <summary>True if it is to be said, and then it counts as said.</summary>
    public bool IsNew(T what, string reason)
    {
        if (_said.TryGetValue(what, out var before) && before.Reason == reason && clock.GetElapsedTime(before.At) < Pause)
        {
            return false;
        }

        _said[what] = (reason, clock.GetTimestamp());
        return true;
    }

    /// <summary>It is over: the next one is new.</summary>
    public void Forget(T what) => _said.Remove(what);
}
