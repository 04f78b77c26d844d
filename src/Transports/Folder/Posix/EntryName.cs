using System.Text;

namespace MeshLedger.Transports.Folder.Posix;

/// <summary>
/// The name of a directory entry: any bytes but '/' and NUL, at most 255. Kept to the byte, one character a byte, since
/// a name need not be UTF-8 and a name that was decoded with losses cannot be opened any more.
/// </summary>
internal readonly record struct EntryName
{
    public const int MaxBytes = 255;
    private const string JobSuffix = ".json";
    private readonly string _bytes;

    private EntryName(string bytes)
    {
        _bytes = bytes;
    }

    public int Length => _bytes.Length;

    public bool IsHidden => _bytes.StartsWith('.');

    /// <summary>True for what the inbox takes: <c>*.json</c> and no dot file.</summary>
    public bool IsJob => !IsHidden && _bytes.EndsWith(JobSuffix, StringComparison.Ordinal);

    public static EntryName FromBytes(ReadOnlySpan<byte> bytes) => new(Encoding.Latin1.GetString(bytes));

    public static EntryName FromText(string text) => FromBytes(Encoding.UTF8.GetBytes(text));

    /// <summary>The name with <paramref name="suffix"/>, ASCII, at its end.</summary>
    public EntryName Append(string suffix) => new(_bytes + suffix);

    /// <summary><c>x.json</c> -> <c>x~tag.json</c>; the stem gives way, at a character's edge, when the whole would
    /// exceed <paramref name="maxBytes"/>.</summary>
    public EntryName Tagged(string tag, int maxBytes)
    {
        var stem = _bytes.EndsWith(JobSuffix, StringComparison.Ordinal) ? _bytes[..^JobSuffix.Length] : _bytes;
        var room = Math.Min(stem.Length, maxBytes - tag.Length - 1 - JobSuffix.Length);
        while (room > 0 && room < stem.Length && (stem[room] & 0xC0) == 0x80)
        {
            room--;
        }

        return new EntryName($"{stem[..room]}~{tag}{JobSuffix}");
    }

    /// <summary>Writes the name and the NUL that ends it; <paramref name="destination"/> has 256 bytes.</summary>
    public void WriteTerminated(Span<byte> destination)
    {
        if (_bytes.Length >= destination.Length)
        {
            throw new ArgumentException($"A name of {_bytes.Length} bytes; at most {MaxBytes} are possible.");
        }

        destination[Encoding.Latin1.GetBytes(_bytes, destination)] = 0;
    }

    /// <summary>For people: decoded as UTF-8, control characters escaped so that a name cannot forge a log line.
    /// </summary>
    public override string ToString()
    {
        var text = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(_bytes));
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 16);
        foreach (var c in text)
        {
            _ = char.IsControl(c) ? escaped.Append($"\\u{(int)c:x4}") : escaped.Append(c);
        }

        return escaped.ToString();
    }
}
