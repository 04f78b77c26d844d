using System.CommandLine;
using System.Globalization;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.Reports;
using MeshLedger.Tools.Cli;
using Npgsql;

namespace MeshLedger.Tools.Replay;

/// <summary>
/// After which event: <c>v12</c> or <c>version:12</c>, the job's twelfth; <c>345</c> or <c>position:345</c>, the log's; or a
/// time, such as <c>2026-11-21T01:02:03Z</c>: after all events before the first that was appended later. Exactly one is not null.
/// </summary>
internal sealed record PointInTime(long? Version, long? Position, DateTimeOffset? Time)
{
    public const string Expected = "v12 or version:12 of the job; " + ExpectedOfLedger;
    public const string ExpectedOfLedger = "345 or position:345 of the log; or a time such as 2026-11-21T01:02:03Z";

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

        if (isNumber && prefix is ("position" or ""))
        {
            return new PointInTime(null, value, null);
        }

        return TimeOption.TryParse(text, out var time)
            ? new PointInTime(null, null, time)
            : throw new CommandFailure(
                ExitCodes.Usage, $"{option}: expected {(hasVersions ? Expected : ExpectedOfLedger)}, found '{SafeText.Cut(SafeText.Line(text), 80)}'.");
    }

    public static Option<string?> NewOption(string description, string expected, string name = "--at") =>
        new(name) { Description = $"{description} {expected}.", HelpName = "POINT" };

    /// <summary>The position of the log, and when that was; 0 where the log had not begun by then.</summary>
    /// <param name="option">As it was typed, for the error.</param>
    /// <exception cref="CommandFailure">The log is not as long.</exception>
    public async Task<(long Position, DateTimeOffset At)> OfLedgerAsync(
        string option, NpgsqlConnection connection, long head, CancellationToken cancellationToken)
    {
        if (Time is { } time)
        {
            return (await PastReadModels.PositionAtAsync(connection, time, head, cancellationToken), time);
        }

        return Position <= head
            ? (Position.Value, await PastReadModels.TimeOfAsync(connection, Position.Value, cancellationToken))
            : throw new CommandFailure(ExitCodes.NotFound, $"{option}: the log ends at position {head}.");
    }

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
