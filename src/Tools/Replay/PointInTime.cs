using System.CommandLine;
using System.Globalization;
using MeshLedger.Domain.Events;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Replay;

/// <summary>
/// After which event: <c>v12</c> or <c>version:12</c>, the job's twelfth; <c>position:345</c>, the log's; or a time, such as
/// <c>2026-11-21T01:02:03Z</c>: after all events before the first that was appended later. Exactly one is not null.
/// </summary>
internal sealed record PointInTime(long? Version, long? Position, DateTimeOffset? Time)
{
    public const string Expected = "v12 or version:12, position:345, or a time such as 2026-11-21T01:02:03Z";
    public const string ExpectedOfLedger = "position:345, or a time such as 2026-11-21T01:02:03Z";

    private static readonly string[] Times =
    [
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd",
    ];

    /// <param name="hasVersions">False for the whole ledger, where no version is anything.</param>
    /// <exception cref="CommandFailure">The text is none.</exception>
    public static PointInTime Parse(string option, string text, bool hasVersions)
    {
        var (prefix, number) = text switch
        {
            ['v', ..] when !text.StartsWith("version:", StringComparison.Ordinal) => ("version", text[1..]),
            _ when text.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 => (text[..colon], text[(colon + 1)..]),
            _ => ("", text),
        };
        var isNumber = long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0;
        if (isNumber && prefix == "version" && hasVersions)
        {
            return new PointInTime(value, null, null);
        }

        if (isNumber && prefix == "position")
        {
            return new PointInTime(null, value, null);
        }

        return DateTimeOffset.TryParseExact(
            text, Times, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? new PointInTime(null, null, time)
            : throw new CommandFailure(
                ExitCodes.Usage, $"{option}: expected {(hasVersions ? Expected : ExpectedOfLedger)}, found '{SafeText.Line(text)}'.");
    }

    public static Option<string?> NewOption(string description, string expected) =>
        new("--at") { Description = $"{description} {expected}.", HelpName = "POINT" };

    /// <summary>How many of a stream's events there were then.</summary>
    public int CountOf(IReadOnlyList<RecordedEvent> events)
    {
        var count = 0;
        while (count < events.Count && !IsAfter(events[count]))
        {
            count++;
        }

        return count;
    }

    public override string ToString() => this switch
    {
        { Version: { } version } => $"version {version}",
        { Position: { } position } => $"position {position}",
        _ => Timestamps.Write(Time!.Value),
    };

    private bool IsAfter(RecordedEvent recorded) =>
        recorded.Version > (Version ?? long.MaxValue) || recorded.Position > (Position ?? long.MaxValue)
        || recorded.AppendedAt > (Time ?? DateTimeOffset.MaxValue);
}
