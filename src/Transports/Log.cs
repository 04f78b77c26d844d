using Microsoft.Extensions.Logging;

namespace MeshLedger.Transports;

/// <summary>What transports log. Event ids are stable; the folder has 4000 to 4099.</summary>
internal static partial class Log
{
    [LoggerMessage(4001, LogLevel.Information, "Folder {Path}: node {NodeId} takes *.json from inbox/, {Watch}")]
    public static partial void FolderOpened(ILogger logger, string path, string nodeId, string watch);

    [LoggerMessage(4002, LogLevel.Warning,
        "Folder {Path}: inotify is not available ({Reason}); files are found by polling alone. Raise "
        + "fs.inotify.max_user_instances and max_user_watches if it should be")]
    public static partial void NoInotify(ILogger logger, string path, string reason);

    [LoggerMessage(4003, LogLevel.Error, "Folder {Path} cannot be used; it is opened again in {Seconds} s")]
    public static partial void FolderUnusable(ILogger logger, Exception reason, string path, double seconds);

    [LoggerMessage(4004, LogLevel.Error, "{What} failed {Times} times; nothing is lost, it is tried again")]
    public static partial void Failing(ILogger logger, Exception reason, string what, long times);

    [LoggerMessage(4006, LogLevel.Warning, "{Name} was not accepted: {Code}: {Message}; see failed/")]
    public static partial void NotAccepted(ILogger logger, string name, string code, string message);

    [LoggerMessage(4007, LogLevel.Warning, "Node {NodeId} gave no sign of life for {Seconds} s; its files are taken over")]
    public static partial void TakingOver(ILogger logger, string nodeId, double seconds);

    [LoggerMessage(4008, LogLevel.Information, "{Name} was taken over by another node, which answers it")]
    public static partial void TakenAway(ILogger logger, string name);

    [LoggerMessage(4009, LogLevel.Information, "{Count} files that were claimed before are resumed")]
    public static partial void Resuming(ILogger logger, int count);

    [LoggerMessage(4010, LogLevel.Debug, "The kernel dropped file notices; the next poll finds what they told")]
    public static partial void NoticesDropped(ILogger logger);
}
