using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Whether bytes are JSON at all, and if not, where they stop being it. Finding the place reads the bytes a second
/// time; that happens for refused documents only.
/// </summary>
public static class JsonSyntax
{
    private const string ExpectedJson = "one JSON value without comments or trailing commas (RFC 8259)";
    private const string SomethingElse = "something else";
    private const int MaxSnippetBytes = 24;

    /// <summary>Why a strict parser refused the bytes, with line and byte; for files that are no job documents, too.
    /// </summary>
    public static string Explain(ReadOnlySpan<byte> utf8)
    {
        var fault = FaultOfBytes(utf8) ?? Locate(utf8);
        return fault.Found == SomethingElse
            ? "a member stands twice in one object"
            : $"expected {fault.Expected}, found {fault.Found}";
    }

    /// <summary>What is wrong with the bytes before they are read as JSON, or null.</summary>
    internal static DocumentFault? FaultOfBytes(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > JobDocument.MaxBytes)
        {
            return new DocumentFault("", $"at most {JobDocument.MaxBytes} bytes", $"{utf8.Length} bytes");
        }

        if (utf8.StartsWith("\uFEFF"u8))
        {
            return new DocumentFault("", "UTF-8 without a byte order mark", "the bytes EF BB BF at the start");
        }

        return Utf8.IsValid(utf8) ? null : new DocumentFault("", "valid UTF-8", InvalidByte(utf8));
    }

    /// <summary>The fault of bytes that the parser refused.</summary>
    internal static DocumentFault Locate(ReadOnlySpan<byte> utf8)
    {
        // The parser's own depth limit is out of the way, so that nesting can be told from bad syntax by looking.
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = int.MaxValue });
        var path = new List<Place>();
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        Enter(path);
                        if (path.Count == JobDocument.MaxDepth)
                        {
                            return new DocumentFault(
                                Pointer(path),
                                $"at most {JobDocument.MaxDepth} levels of objects and arrays",
                                $"level {JobDocument.MaxDepth + 1}");
                        }

                        path.Add(new Place(null, -1, reader.TokenType == JsonTokenType.StartArray));
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        path.RemoveAt(path.Count - 1);
                        break;
                    case JsonTokenType.PropertyName:
                        path[^1] = path[^1] with { Name = NameOf(reader) };
                        break;
                    default:
                        Enter(path);
                        break;
                }
            }
        }
        catch (JsonException stop)
        {
            var found = Snippet(utf8, stop.LineNumber ?? 0, stop.BytePositionInLine ?? 0);
            return new DocumentFault("", ExpectedJson, found);
        }

        return new DocumentFault("", ExpectedJson, SomethingElse);
    }

    private static void Enter(List<Place> path)
    {
        if (path.Count > 0 && path[^1].IsArray)
        {
            path[^1] = path[^1] with { Index = path[^1].Index + 1 };
        }
    }

    private static string Pointer(List<Place> path)
    {
        var pointer = new StringBuilder();
        foreach (var place in path)
        {
            pointer.Append(place.IsArray ? $"/{place.Index}" : JsonText.Token(place.Name!));
        }

        return pointer.ToString();
    }

    private static string NameOf(in Utf8JsonReader reader) =>
        JsonText.FindBadEscape(reader.ValueSpan) == BadEscape.None
            ? reader.GetString()!
            : Encoding.UTF8.GetString(reader.ValueSpan);

    private static string InvalidByte(ReadOnlySpan<byte> utf8)
    {
        var offset = 0;
        while (Rune.DecodeFromUtf8(utf8[offset..], out _, out var length) == System.Buffers.OperationStatus.Done)
        {
            offset += length;
        }

        return $"the byte {utf8[offset]:X2} at offset {offset}";
    }

    private static string Snippet(ReadOnlySpan<byte> utf8, long line, long column)
    {
        var rest = utf8;
        for (var skipped = 0L; skipped < line; skipped++)
        {
            rest = rest[(rest.IndexOf((byte)'\n') + 1)..];
        }

        rest = rest[(int)Math.Min(column, rest.Length)..];
        var where = $"at line {line + 1}, byte {column + 1}";
        if (rest.IsEmpty)
        {
            return $"the end of the text {where}";
        }

        if (rest[0] < ' ')
        {
            return $"the byte {rest[0]:X2} {where}";
        }

        // Quoted, for what was found may be words, and trimmed, for the line's end is none of it.
        return $"'{DocumentFaults.Show(rest[..Math.Min(rest.Length, MaxSnippetBytes)]).Trim()}' {where}";
    }

    /// <summary>Where the scan stands inside one open object or array.</summary>
    private readonly record struct Place(string? Name, int Index, bool IsArray);
}
