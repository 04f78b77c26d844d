using Microsoft.Extensions.Options;

namespace MeshLedger.Transports.Folder;

/// <summary>How the folder transport works.</summary>
public sealed class FolderTransportOptions
{
    /// <summary>The folder that holds <c>inbox/</c>, <c>claimed/</c>, <c>done/</c>, <c>failed/</c> and <c>results/</c>,
    /// all on one file system; created when missing.</summary>
    public string Directory { get; set; } = "";

    /// <summary>Names this node among all that share the folder: 1 to 64 characters from <c>A-Z a-z 0-9 . _ -</c>, not
    /// starting with a dot. Must stay the same across restarts, and differ between nodes.</summary>
    public string NodeId { get; set; } = Environment.MachineName;

    /// <summary>How often the inbox is looked through, beside what inotify tells.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a file's size and times must stand still before polling takes it for complete.</summary>
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many documents are submitted at the same time.</summary>
    public int MaxConcurrency { get; set; } = 64;

    /// <summary>How many files are claimed and not yet answered; more wait in the inbox, for other nodes too.</summary>
    public int MaxOutstanding { get; set; } = 10_000;

    /// <summary>Whether the kernel is asked to tell of new files at once. Polling goes on beside it.</summary>
    public bool UseInotify { get; set; } = true;

    /// <summary>How often the node gives a sign of life, and looks for those of others.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long another node's sign of life must stand still, by this node's clock, before its claimed files
    /// are taken over. At least three heartbeats.</summary>
    public TimeSpan TakeoverAfter { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Says at start what is wrong with the options, all at once.</summary>
internal sealed class FolderTransportOptionsValidator : IValidateOptions<FolderTransportOptions>
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, FolderTransportOptions options)
    {
        var faults = new List<string>();
        Check(!string.IsNullOrWhiteSpace(options.Directory), "Directory: expected a path, found nothing.");
        Check(!options.Directory.Contains('\0', StringComparison.Ordinal), "Directory: expected a path, found a NUL.");
        Check(IsNodeId(options.NodeId),
            $"NodeId: expected 1 to 64 characters from A-Z a-z 0-9 . _ - without a leading dot, found '{options.NodeId}'.");
        Within(options.PollInterval, TimeSpan.FromMilliseconds(1), nameof(options.PollInterval));
        Within(options.GracePeriod, TimeSpan.Zero, nameof(options.GracePeriod));
        Within(options.HeartbeatInterval, TimeSpan.FromMilliseconds(1), nameof(options.HeartbeatInterval));
        Within(options.TakeoverAfter, TimeSpan.FromMilliseconds(1), nameof(options.TakeoverAfter));
        Check(options.TakeoverAfter >= 3 * options.HeartbeatInterval,
            $"TakeoverAfter: expected at least three HeartbeatIntervals, found {options.TakeoverAfter}.");
        Check(options.MaxConcurrency is >= 1 and <= 4096,
            $"MaxConcurrency: expected 1 to 4096, found {options.MaxConcurrency}.");
        Check(options.MaxOutstanding is >= 1 and <= 1_000_000,
            $"MaxOutstanding: expected 1 to 1000000, found {options.MaxOutstanding}.");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Check(bool valid, string fault)
        {
            if (!valid)
            {
                faults.Add(fault);
            }
        }

        void Within(TimeSpan value, TimeSpan least, string option) => Check(
            value >= least && value <= Longest, $"{option}: expected {least} to {Longest}, found {value}.");
    }

    private static bool IsNodeId(string? id) => id is { Length: >= 1 and <= 64 } && id[0] != '.'
        && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
