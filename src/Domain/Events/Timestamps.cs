using System.Globalization;

namespace MeshLedger.Domain.Events;

/// <summary>Times as events hold them: UTC, always six decimals, <c>2026-11-21T01:02:03.123456Z</c>.</summary>
public static class Timestamps
{
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";
    public const int TextLength = 27;

    /// <summary>The time cut to whole microseconds, in UTC.</summary>
    public static DateTimeOffset ToMicroseconds(this DateTimeOffset time)
    {
        var ticks = time.UtcTicks;
        return new DateTimeOffset(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    public static string Write(DateTimeOffset time) => time.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture);

    public static bool TryRead(ReadOnlySpan<char> text, out DateTimeOffset time) => DateTimeOffset.TryParseExact(
        text, Format, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
}
