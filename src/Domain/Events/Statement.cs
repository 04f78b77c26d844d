using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Domain.Events;

/// <summary>
/// What an author says happened: the canonical JSON that is hashed and signed.
/// <code>
/// {"by":DID,"cause":HEX or null,"data":{...},"id":UUIDv7,"stream":STREAM,"time":TIME,"type":TYPE}
/// </code>
/// Its digest is SHA-256(0x00 || these bytes). Order in the log is not part of it: the log fixes that.
/// </summary>
/// <remarks>Checked by the vectors in schemas/vectors (<c>EventVectorTests</c>).</remarks>
public sealed class Statement
{
    /// <summary>The most bytes of a statement: a document of 1 MiB, escaped at worst six-fold, and room around it.
    /// </summary>
    public const int MaxBytes = 8 << 20;

    private Statement(
        Did by, Digest? cause, EventId id, StreamId stream, DateTimeOffset time, string type,
        ReadOnlyMemory<byte> canonical, int dataStart, int dataLength)
    {
        By = by;
        Cause = cause;
        Id = id;
        Stream = stream;
        Time = time;
        Type = type;
        Canonical = canonical;
        Data = canonical.Slice(dataStart, dataLength);
        Digest = MerkleTree.LeafHash(canonical.Span);
    }

    /// <summary>The author.</summary>
    public Did By { get; }

    /// <summary>The digest of the event that this one answers.</summary>
    public Digest? Cause { get; }

    public EventId Id { get; }

    public StreamId Stream { get; }

    /// <summary>By the author's clock, in microseconds.</summary>
    public DateTimeOffset Time { get; }

    /// <summary>The wire name, such as <c>bid_placed</c>.</summary>
    public string Type { get; }

    /// <summary>The body, canonical JSON.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>The body, read.</summary>
    /// <exception cref="FormatException">The type is unknown, or the data is not of its shape; says where.</exception>
    public LedgerEvent Body
    {
        get => field ??= EventCodec.Read(this);
        internal set;
    }

    /// <summary>The whole statement, canonical JSON: what is hashed.</summary>
    public ReadOnlyMemory<byte> Canonical { get; }

    /// <summary>SHA-256(0x00 || <see cref="Canonical"/>).</summary>
    public Digest Digest { get; }

    /// <summary>Builds a statement; <paramref name="data"/> may be any JSON object and is made canonical.</summary>
    /// <exception cref="FormatException">A part is missing or cannot be said in an event; says which.</exception>
    public static Statement Create(
        Did by, Digest? cause, ReadOnlySpan<byte> data, EventId id, StreamId stream, DateTimeOffset time, string type)
    {
        if (by.IsDefault || !id.IsValid || stream.IsDefault || cause is { IsDefault: true } || !IsTypeName(type))
        {
            throw new FormatException(
                $"An event needs an author, an id (UUID v7), a stream and a type: by {by}, id {id}, stream {stream}, "
                + $"type '{type}'.");
        }

        var output = new ArrayBufferWriter<byte>(data.Length + 384);
        Ascii(output, "{\"by\":\"");
        Ascii(output, by.ToString());
        Ascii(output, cause is null ? "\",\"cause\":null,\"data\":" : "\",\"cause\":\"");
        if (cause is { } digest)
        {
            Ascii(output, digest.ToString());
            Ascii(output, "\",\"data\":");
        }

        var dataStart = output.WrittenCount;
        CanonicalJson.Canonicalize(data, output);
        var dataLength = output.WrittenCount - dataStart;
        if (output.WrittenSpan[dataStart] != '{')
        {
            throw new FormatException($"The data of event {type} is no JSON object.");
        }

        Ascii(output, ",\"id\":\"");
        var span = output.GetSpan(36);
        Utf8Formatter.TryFormat(id.Value, span, out var written);
        output.Advance(written);
        Ascii(output, "\",\"stream\":\"");
        Ascii(output, stream.ToString());
        Ascii(output, "\",\"time\":\"");
        time = time.ToMicroseconds();
        time.UtcDateTime.TryFormat(output.GetSpan(Timestamps.TextLength), out written, Timestamps.Format);
        output.Advance(written);
        Ascii(output, "\",\"type\":\"");
        Ascii(output, type);
        Ascii(output, "\"}");
        if (output.WrittenCount > MaxBytes)
        {
            throw new FormatException($"Event {type} has {output.WrittenCount} bytes; at most {MaxBytes} are allowed.");
        }

        return new Statement(by, cause, id, stream, time, type, output.WrittenMemory, dataStart, dataLength);
    }

    /// <summary>Reads a statement as it was hashed; false for any other bytes. Never throws.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> canonical, out Statement? statement)
    {
        statement = null;
        if (canonical.Length > MaxBytes)
        {
            return false;
        }

        try
        {
            using var json = JsonDocument.Parse(
                canonical, new JsonDocumentOptions { MaxDepth = CanonicalJson.MaxDepth + 1, AllowDuplicateProperties = false });
            var root = json.RootElement;
            var cause = root.GetProperty("cause");
            if (!Did.TryParse(root.GetProperty("by").GetString(), out var by)
                || !EventId.TryParse(root.GetProperty("id").GetString()!, out var id)
                || !StreamId.TryParse(root.GetProperty("stream").GetString()!, out var stream)
                || !Timestamps.TryRead(root.GetProperty("time").GetString(), out var time))
            {
                return false;
            }

            var read = Create(
                by,
                cause.ValueKind == JsonValueKind.Null ? null : Digest.Parse(cause.GetString()!),
                Encoding.UTF8.GetBytes(root.GetProperty("data").GetRawText()),
                id,
                stream,
                time,
                root.GetProperty("type").GetString()!);
            statement = read.Canonical.Span.SequenceEqual(canonical.Span) ? read : null;
            return statement is not null;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException or ArgumentNullException)
        {
            // What is no JSON, and members that are missing or of another kind.
            return false;
        }
    }

    /// <summary>Lower-case letters, digits and underscores, 1 to 64.</summary>
    internal static bool IsTypeName(string type) =>
        type.Length is >= 1 and <= 64 && type.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '_');

    public override string ToString() => Encoding.UTF8.GetString(Canonical.Span);

    private static void Ascii(ArrayBufferWriter<byte> output, string text)
    {
        var span = output.GetSpan(text.Length);
        output.Advance(Encoding.ASCII.GetBytes(text, span));
    }
}
