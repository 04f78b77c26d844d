using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using MeshLedger.Domain.Events;

namespace MeshLedger.Tools.Cli;

/// <summary>Options that are moments: a day, a time of it in UTC or with an offset.</summary>
internal static partial class TimeOption
{
    /// <summary>What every such option says of itself.</summary>
    public const string Midnight = "a date alone is its midnight in UTC";

    public const string Expected = "a time such as 2026-11-21, 2026-11-21T10:00Z or 2026-11-21T10:00:00.123456+01:00";

    public static Option<DateTimeOffset?> Create(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result =>
        {
            if (TryParse(result.Tokens[0].Value, out var time))
            {
                return time;
            }

            result.AddError($"{name}: expected {Expected}, found '{result.Tokens[0].Value}'.");
            return null;
        },
    };

    /// <summary>The interval that two options name, if any time lies in it.</summary>
    /// <exception cref="CommandFailure">It is empty, or reversed.</exception>
    public static void RequireInterval(DateTimeOffset? from, DateTimeOffset? to)
    {
        if (from >= to)
        {
            throw new CommandFailure(
                ExitCodes.Usage,
                $"--from {Timestamps.Write(from.Value)} is not before --to {Timestamps.Write(to.Value)}: nothing is between them. A date "
                + "alone is its midnight (UTC), so all of a day is --from 2026-11-21 --to 2026-11-22.");
        }
    }

    public static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        return Shape().IsMatch(text) && DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
