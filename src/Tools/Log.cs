using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools;

/// <summary>What the command itself logs. Event ids are stable: 9000 to 9099.</summary>
internal static partial class Log
{
    [LoggerMessage(9001, LogLevel.Information,
        "meshledger is ready: node {Name}, process {ProcessId}; job files go to {Inbox}")]
    public static partial void Ready(ILogger log, string name, int processId, string inbox);

    [LoggerMessage(9002, LogLevel.Information, "{Count} blobs that nothing keeps alive were removed: {Bytes} bytes.")]
    public static partial void BlobsCollected(ILogger log, int count, long bytes);

    [LoggerMessage(9003, LogLevel.Warning, "Blobs were not collected; nothing was removed: {Reason}")]
    public static partial void CollectionFailed(ILogger log, string reason);

    [LoggerMessage(9004, LogLevel.Information, "Blob {Hash}, which was damaged here, was fetched again.")]
    public static partial void BlobHealed(ILogger log, string hash);

    [LoggerMessage(9005, LogLevel.Warning, "Blob {Hash} is damaged here, and was not fetched again: {Reason}")]
    public static partial void BlobNotHealed(ILogger log, string hash, string reason);

    [LoggerMessage(9006, LogLevel.Warning, "Checkpoint {Sequence} of job {Job} was not copied to this node: {Reason}")]
    public static partial void CheckpointNotCopied(ILogger log, string job, long sequence, string reason);

    [LoggerMessage(9000, LogLevel.Warning,
        "This worker runs no programs of format elf, but those of format wasm: {Reason}")]
    public static partial void NoMachines(ILogger log, string reason);
}
