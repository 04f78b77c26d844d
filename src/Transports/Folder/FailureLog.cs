using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Transports.Folder;

/// <summary>Tells of failures that are tried again: the first of a kind at once, then one line per period with their
/// number, so that ten thousand files on a full disk do not fill the log as well.</summary>
internal sealed class FailureLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, Kind> _kinds = new();

    public void Report(string what, Exception failure)
    {
        var kind = _kinds.GetOrAdd(what, _ => new Kind());
        long times;
        lock (kind)
        {
            kind.Times++;
            if (kind.LastTold is { } told && time.GetElapsedTime(told) < Period)
            {
                return;
            }

            kind.LastTold = time.GetTimestamp();
            times = kind.Times;
            kind.Times = 0;
        }

        Log.Failing(logger, failure, what, times);
    }

    private sealed class Kind
    {
        public long Times { get; set; }

        public long? LastTold { get; set; }
    }
}

/// <summary>How long to wait before the next attempt: 100 ms, doubled each time up to 30 s.</summary>
internal static class BackOff
{
    public static TimeSpan After(int failures) =>
        TimeSpan.FromMilliseconds(Math.Min(30_000, 100 * Math.Pow(2, Math.Min(failures, 20) - 1)));
}
