using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>What an escape can put into a text that the ledger's storage refuses.</summary>
internal enum BadEscape
{
    None,
    Nul,
    LoneSurrogate,
}

/// <summary>
/// Strings and member names of parsed JSON whose escapes are not checked yet. The framework's own accessors throw on a
/// lone surrogate; these give the text as it was written instead.
/// </summary>
internal static class JsonText
{
    /// <summary>The most characters of one token in a pointer. Names have no limit of their own, and a document with a
    /// very long one and many faults below it must not be answered by gigabytes of pointers.</summary>
    private const int MaxTokenLength = 256;

    public static string Of(JsonElement text)
    {
        var raw = JsonMarshal.GetRawUtf8Value(text);
        return FindBadEscape(raw) == BadEscape.None ? text.GetString()! : Encoding.UTF8.GetString(raw[1..^1]);
    }

    public static string NameOf(JsonProperty member)
    {
        var raw = JsonMarshal.GetRawUtf8PropertyName(member);
        return FindBadEscape(raw) == BadEscape.None ? member.Name : Encoding.UTF8.GetString(raw);
    }

    public static bool IsNamed(JsonProperty member, ReadOnlySpan<byte> name)
    {
        var raw = JsonMarshal.GetRawUtf8PropertyName(member);
        return raw.SequenceEqual(name)
            || (raw.Length > name.Length && raw.Contains((byte)'\\') && NameOf(member) == Encoding.UTF8.GetString(name));
    }

    /// <summary>A reference token of RFC 6901 with its slash, cut when it is very long.</summary>
    public static string Token(string name)
    {
        if (name.Length > MaxTokenLength)
        {
            name = Cut(name, MaxTokenLength);
        }

        return "/" + name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
    }

    /// <summary>At most <paramref name="length"/> characters, the last of them an ellipsis if any are missing.</summary>
    public static string Cut(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        var kept = char.IsHighSurrogate(text[length - 2]) ? length - 2 : length - 1;
        return string.Concat(text.AsSpan(0, kept), "…");
    }

    /// <summary>The first escape in well-formed JSON text that stands for U+0000 or for half a surrogate pair.</summary>
    public static BadEscape FindBadEscape(ReadOnlySpan<byte> raw)
    {
        while (true)
        {
            var escape = raw.IndexOf((byte)'\\');
            if (escape < 0)
            {
                return BadEscape.None;
            }

            raw = raw[escape..];
            if (!TryCodeUnit(raw, out var unit))
            {
                raw = raw[2..];
                continue;
            }

            raw = raw[6..];
            if (unit == 0)
            {
                return BadEscape.Nul;
            }

            if (!char.IsSurrogate(unit))
            {
                continue;
            }

            if (!char.IsHighSurrogate(unit) || !TryCodeUnit(raw, out var low) || !char.IsLowSurrogate(low))
            {
                return BadEscape.LoneSurrogate;
            }

            raw = raw[6..];
        }
    }

    private static bool TryCodeUnit(ReadOnlySpan<byte> raw, out char unit)
    {
        unit = default;
        if (raw.Length < 6 || raw[0] != '\\' || raw[1] != 'u'
            || !ushort.TryParse(raw[2..6], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
        {
            return false;
        }

        unit = (char)code;
        return true;
    }
}
