using System.Globalization;
using System.Text;

namespace MeshLedger.Tools.Cli;

/// <summary>Text from documents, guests and other nodes, made harmless for a terminal: what would move the cursor, set
/// colours, reverse the direction or hide itself is shown as its number, such as <c>\x1B</c>.</summary>
internal static class SafeText
{
    public static string Line(string? text)
    {
        if (text is null || !NeedsWork(text))
        {
            return text ?? "";
        }

        var safe = new StringBuilder(text.Length + 16);
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var valid = Rune.DecodeFromUtf16(rest, out var rune, out var used) == System.Buffers.OperationStatus.Done;
            if (valid && !IsHarmful(rune))
            {
                safe.Append(rest[..used]);
            }
            else
            {
                var number = valid ? rune.Value : rest[0];
                safe.Append(number <= 0xFF ? $"\\x{number:X2}" : $"\\u{{{number:X}}}");
            }

            rest = rest[used..];
        }

        return safe.ToString();
    }

    /// <summary>JSON that says the same and is harmless: what stands in its strings is escaped as JSON escapes it.</summary>
    public static string Json(string json)
    {
        if (!NeedsWork(json))
        {
            return json;
        }

        var safe = new StringBuilder(json.Length + 16);
        foreach (var rune in json.EnumerateRunes())
        {
            // The line ends of JSON that is indented stand between strings, where nothing else needs an escape.
            if (rune.Value == '\n' || !IsHarmful(rune))
            {
                safe.Append(rune);
                continue;
            }

            foreach (var unit in rune.ToString())
            {
                safe.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            }
        }

        return safe.ToString();
    }

    /// <summary>The lines of a text, each harmless; a last newline makes no empty line.</summary>
    public static IEnumerable<string> Lines(string text) =>
        (text.EndsWith('\n') ? text[..^1] : text).Split('\n').Select(line => Line(line.TrimEnd('\r')));

    /// <summary>At most <paramref name="length"/> characters of a line.</summary>
    public static string Cut(string text, int length) =>
        text.Length <= length ? text : string.Concat(text.AsSpan(0, length - 1).TrimEnd('\\'), "…");

    private static bool NeedsWork(string text)
    {
        foreach (var letter in text)
        {
            if (letter is < ' ' or > '~')
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsHarmful(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}

/// <summary>What people are told beside the data: standard error.</summary>
internal static class Messages
{
    public static void Say(string message) => Console.Error.WriteLine(SafeText.Line(message));
}
