using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Integers as JSON and JSON Schema see them: numbers whose value is whole, however written (<c>60</c>, <c>60.0</c>,
/// <c>6e1</c>), within ±(2^53-1), so that every JSON library reads the same value.
/// </summary>
internal static class JsonInteger
{
    public const long Max = (1L << 53) - 1;
    private const int MaxDigits = 16;

    public static bool TryRead(JsonElement number, out long value)
    {
        if (!number.TryGetInt64(out value) && !TryReadScaled(JsonMarshal.GetRawUtf8Value(number), out value))
        {
            return false;
        }

        return value is >= -Max and <= Max;
    }

    /// <summary>Reads digits, fraction and exponent without rounding, whatever the size of the exponent.</summary>
    private static bool TryReadScaled(ReadOnlySpan<byte> raw, out long value)
    {
        value = 0;
        var negative = raw[0] == '-';
        var exponentAt = raw.IndexOfAny((byte)'e', (byte)'E');
        var mantissa = raw[(negative ? 1 : 0)..(exponentAt < 0 ? raw.Length : exponentAt)];

        var digits = new List<byte>(MaxDigits);
        var scale = 0L;
        var inFraction = false;
        foreach (var character in mantissa)
        {
            if (character == '.')
            {
                inFraction = true;
                continue;
            }

            digits.Add((byte)(character - '0'));
            scale -= inFraction ? 1 : 0;
        }

        var first = digits.FindIndex(digit => digit != 0);
        if (first < 0)
        {
            return true;
        }

        var last = digits.FindLastIndex(digit => digit != 0);
        scale += digits.Count - 1 - last;
        var length = last - first + 1;
        if (exponentAt >= 0)
        {
            // An exponent that is no int64 is out of every range, unless the document were longer than it may be.
            if (!long.TryParse(
                raw[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
                || Math.Abs((decimal)exponent) > int.MaxValue)
            {
                return false;
            }

            scale += exponent;
        }

        if (scale < 0 || length + scale > MaxDigits)
        {
            return false;
        }

        foreach (var digit in CollectionsMarshal.AsSpan(digits).Slice(first, length))
        {
            value = (value * 10) + digit;
        }

        for (; scale > 0; scale--)
        {
            value *= 10;
        }

        value = negative ? -value : value;
        return true;
    }
}

/// <summary>
/// Timestamps of RFC 3339, such as <c>2026-01-30T16:00:00.5+01:00</c>: years 0001 to 9999, up to nine digits of a
/// fraction, of which seven are kept; no leap second, for which the clocks that we compare with have no name.
/// </summary>
internal static class Rfc3339
{
    private const int SecondsEnd = 19;
    private const int MaxFractionDigits = 9;

    public static bool TryParse(ReadOnlySpan<char> text, out DateTimeOffset utc)
    {
        utc = default;
        if (text.Length <= SecondsEnd
            || text[4] != '-' || text[7] != '-' || text[10] is not ('T' or 't') || text[13] != ':' || text[16] != ':'
            || !TryNumber(text[..4], 1, 9999, out var year)
            || !TryNumber(text[5..7], 1, 12, out var month)
            || !TryNumber(text[8..10], 1, DateTime.DaysInMonth(year, month), out var day)
            || !TryNumber(text[11..13], 0, 23, out var hour)
            || !TryNumber(text[14..16], 0, 59, out var minute)
            || !TryNumber(text[17..SecondsEnd], 0, 59, out var second)
            || !TryFraction(text[SecondsEnd..], out var fraction, out var offsetAt)
            || !TryOffset(text[offsetAt..], out var offset))
        {
            return false;
        }

        var ticks = new DateTime(year, month, day, hour, minute, second).Ticks + fraction - offset.Ticks;
        if (ticks < DateTime.MinValue.Ticks || ticks > DateTime.MaxValue.Ticks)
        {
            return false;
        }

        utc = new DateTimeOffset(ticks, TimeSpan.Zero);
        return true;
    }

    /// <summary>Writes what <see cref="TryParse"/> reads back to the same instant.</summary>
    public static string Write(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private static bool TryFraction(ReadOnlySpan<char> text, out long ticks, out int offsetAt)
    {
        ticks = 0;
        offsetAt = SecondsEnd;
        if (text[0] != '.')
        {
            return true;
        }

        var end = text[1..].IndexOfAnyExceptInRange('0', '9');
        if (end is < 1 or > MaxFractionDigits)
        {
            return false;
        }

        var unit = TimeSpan.TicksPerSecond;
        foreach (var digit in text.Slice(1, end))
        {
            unit /= 10;
            ticks += (digit - '0') * unit;
        }

        offsetAt += 1 + end;
        return true;
    }

    private static bool TryOffset(ReadOnlySpan<char> text, out TimeSpan offset)
    {
        offset = default;
        if (text is "Z" or "z")
        {
            return true;
        }

        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':'
            || !TryNumber(text[1..3], 0, 23, out var hours)
            || !TryNumber(text[4..6], 0, 59, out var minutes))
        {
            return false;
        }

        offset = new TimeSpan(hours, minutes, 0) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> digits, int min, int max, out int number) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && number >= min && number <= max;
}
