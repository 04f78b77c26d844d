using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MeshLedger.Tools.Cli;

/// <summary>Options that are moments: a day, a time of it in UTC or with an offset.</summary>
internal static partial class TimeOption
{
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

    public static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        return Shape().IsMatch(text) && DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
