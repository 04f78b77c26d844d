using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace MeshLedger.Crypto;

/// <summary>
/// Canonical JSON as RFC 8785 has it, narrowed to what an event may hold: members sorted by their UTF-16 code units,
/// no white space, the shortest escapes, numbers that are integers within ±(2^53-1) and nothing else, no U+0000 and no
/// lone surrogates in any string, no member twice, at most 64 levels.
/// <para><c>{ "b": [1, "\u00e9"], "a": null }</c> becomes <c>{"a":null,"b":[1,"é"]}</c>.</para>
/// </summary>
/// <remarks>Checked by <c>CanonicalJsonTests</c> and by the event vectors in schemas/vectors.</remarks>
public static class CanonicalJson
{
    /// <summary>The largest magnitude of a number: 2^53-1.</summary>
    public const long MaxInteger = (1L << 53) - 1;

    /// <summary>The deepest nesting of objects and arrays.</summary>
    public const int MaxDepth = 64;

    private static readonly SearchValues<byte> NeedEscape = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(value => (byte)value), (byte)'"', (byte)'\\']);

    /// <summary>The canonical form of <paramref name="json"/>, as a new array.</summary>
    /// <exception cref="FormatException">The input is no JSON, or JSON that has no canonical form here; says why.
    /// </exception>
    public static byte[] Canonicalize(ReadOnlySpan<byte> json)
    {
        var writer = Writer.Rent();
        try
        {
            writer.Run(json);
            return writer.Output.ToArray();
        }
        finally
        {
            writer.Return();
        }
    }

    /// <summary>Appends the canonical form of <paramref name="json"/> to <paramref name="destination"/>.</summary>
    /// <inheritdoc cref="Canonicalize(ReadOnlySpan{byte})" path="/exception"/>
    public static void Canonicalize(ReadOnlySpan<byte> json, IBufferWriter<byte> destination)
    {
        var writer = Writer.Rent();
        try
        {
            writer.Run(json);
            destination.Write(writer.Output);
        }
        finally
        {
            writer.Return();
        }
    }

    /// <summary>Appends <paramref name="text"/> as a canonical JSON string, quotes included.</summary>
    /// <exception cref="FormatException">The text has U+0000 or a lone surrogate.</exception>
    public static void WriteString(ReadOnlySpan<char> text, IBufferWriter<byte> destination)
    {
        var scratch = ArrayPool<byte>.Shared.Rent((text.Length * 3) + 2);
        try
        {
            if (Utf8.FromUtf16(text, scratch, out _, out var length, replaceInvalidSequences: false)
                != OperationStatus.Done)
            {
                throw new FormatException("A string has a lone surrogate: no event can hold it.");
            }

            WriteEscaped(scratch.AsSpan(0, length), destination);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    private static void WriteEscaped(ReadOnlySpan<byte> utf8, IBufferWriter<byte> destination)
    {
        destination.Write("\""u8);
        while (true)
        {
            var next = utf8.IndexOfAny(NeedEscape);
            if (next < 0)
            {
                destination.Write(utf8);
                destination.Write("\""u8);
                return;
            }

            destination.Write(utf8[..next]);
            WriteEscape(utf8[next], destination);
            utf8 = utf8[(next + 1)..];
        }
    }

    private static void WriteEscape(byte value, IBufferWriter<byte> destination)
    {
        switch (value)
        {
            case 0:
                throw new FormatException("A string has U+0000: PostgreSQL cannot store it, so no event can hold it.");
            case (byte)'"':
                destination.Write("\\\""u8);
                break;
            case (byte)'\\':
                destination.Write("\\\\"u8);
                break;
            case (byte)'\b':
                destination.Write("\\b"u8);
                break;
            case (byte)'\t':
                destination.Write("\\t"u8);
                break;
            case (byte)'\n':
                destination.Write("\\n"u8);
                break;
            case (byte)'\f':
                destination.Write("\\f"u8);
                break;
            case (byte)'\r':
                destination.Write("\\r"u8);
                break;
            default:
                var escape = destination.GetSpan(6);
                "\\u00"u8.CopyTo(escape);
                escape[4] = HexDigit(value >> 4);
                escape[5] = HexDigit(value & 0xF);
                destination.Advance(6);
                break;
        }
    }

    private static byte HexDigit(int value) => (byte)(value < 10 ? '0' + value : 'a' + value - 10);

    /// <summary>One member of an object as it stands in the output: its name's bytes (unescaped, in
    /// <see cref="Writer._names"/>) and its bytes, name included.</summary>
    private readonly record struct Member(int NameStart, int NameLength, int Start, int Length);

    /// <summary>Writes values as they come and puts the members of each object in order when it closes.</summary>
    private sealed class Writer
    {
        [ThreadStatic]
        private static Writer? _spare;

        private readonly ArrayBufferWriter<byte> _output = new(1024);
        private readonly List<Member> _members = [];
        private byte[] _names = new byte[512];
        private byte[] _scratch = new byte[512];
        private int _namesLength;

        public ReadOnlySpan<byte> Output => _output.WrittenSpan;

        public static Writer Rent()
        {
            var writer = _spare ?? new Writer();
            _spare = null;
            return writer;
        }

        public void Return()
        {
            if (_output.Capacity > 1 << 20)
            {
                return;
            }

            _output.ResetWrittenCount();
            _members.Clear();
            _namesLength = 0;
            _spare = this;
        }

        public void Run(ReadOnlySpan<byte> json)
        {
            if (!Utf8.IsValid(json))
            {
                throw new FormatException("The text is not UTF-8.");
            }

            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            try
            {
                reader.Read();
                WriteValue(ref reader);
                if (reader.Read())
                {
                    throw new FormatException($"A second value follows at byte {reader.TokenStartIndex}.");
                }
            }
            catch (JsonException exception)
            {
                throw new FormatException($"The text is no JSON: {exception.Message}", exception);
            }
        }

        private void WriteValue(ref Utf8JsonReader reader)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    WriteObject(ref reader);
                    break;
                case JsonTokenType.StartArray:
                    WriteArray(ref reader);
                    break;
                case JsonTokenType.String:
                    WriteText(ref reader);
                    break;
                case JsonTokenType.Number:
                    WriteNumber(reader.ValueSpan);
                    break;
                case JsonTokenType.True:
                    _output.Write("true"u8);
                    break;
                case JsonTokenType.False:
                    _output.Write("false"u8);
                    break;
                case JsonTokenType.Null:
                    _output.Write("null"u8);
                    break;
                default:
                    throw new FormatException($"Expected a JSON value, found {reader.TokenType}.");
            }
        }

        private void WriteArray(ref Utf8JsonReader reader)
        {
            _output.Write("["u8);
            for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
            {
                if (!first)
                {
                    _output.Write(","u8);
                }

                WriteValue(ref reader);
            }

            _output.Write("]"u8);
        }

        private void WriteObject(ref Utf8JsonReader reader)
        {
            var firstMember = _members.Count;
            var firstName = _namesLength;
            var ordered = true;
            _output.Write("{"u8);
            var body = _output.WrittenCount;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var name = KeepName(ref reader);
                if (_members.Count > firstMember)
                {
                    var order = Compare(_members[^1], name);
                    Refuse(order == 0, name);
                    ordered &= order < 0;
                    _output.Write(","u8);
                }

                var start = _output.WrittenCount;
                WriteText(ref reader);
                _output.Write(":"u8);
                reader.Read();
                WriteValue(ref reader);
                _members.Add(name with { Start = start, Length = _output.WrittenCount - start });
            }

            if (!ordered)
            {
                Reorder(firstMember, body);
            }

            _members.RemoveRange(firstMember, _members.Count - firstMember);
            _namesLength = firstName;
            _output.Write("}"u8);
        }

        private void Reorder(int firstMember, int body)
        {
            var members = _members.GetRange(firstMember, _members.Count - firstMember);
            members.Sort(Compare);
            for (var i = 1; i < members.Count; i++)
            {
                Refuse(Compare(members[i - 1], members[i]) == 0, members[i]);
            }

            var length = _output.WrittenCount - body;
            var old = ArrayPool<byte>.Shared.Rent(length);
            try
            {
                _output.WrittenSpan[body..].CopyTo(old);

                // The members' bytes are only permuted, so what was written can be overwritten where it stands.
                var target = System.Runtime.InteropServices.MemoryMarshal.AsMemory(_output.WrittenMemory)[body..].Span;
                foreach (var member in members)
                {
                    old.AsSpan(member.Start - body, member.Length).CopyTo(target);
                    target = target[member.Length..];
                    if (!target.IsEmpty)
                    {
                        target[0] = (byte)',';
                        target = target[1..];
                    }
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(old);
            }
        }

        private Member KeepName(ref Utf8JsonReader reader)
        {
            var start = _namesLength;
            var most = reader.ValueSpan.Length;
            if (_names.Length < start + most)
            {
                Array.Resize(ref _names, (start + most) * 2);
            }

            var length = Unescape(ref reader, _names.AsSpan(start));
            _namesLength = start + length;
            return new Member(start, length, 0, 0);
        }

        private void WriteText(ref Utf8JsonReader reader)
        {
            if (!reader.ValueIsEscaped)
            {
                // Raw JSON text without escapes has no quote, backslash or control character: it is canonical already.
                _output.Write("\""u8);
                _output.Write(reader.ValueSpan);
                _output.Write("\""u8);
                return;
            }

            if (_scratch.Length < reader.ValueSpan.Length)
            {
                _scratch = new byte[reader.ValueSpan.Length * 2];
            }

            var length = Unescape(ref reader, _scratch);
            WriteEscaped(_scratch.AsSpan(0, length), _output);
        }

        private static int Unescape(ref Utf8JsonReader reader, Span<byte> destination)
        {
            try
            {
                return reader.CopyString(destination);
            }
            catch (InvalidOperationException exception)
            {
                throw new FormatException("A string has a lone surrogate: no event can hold it.", exception);
            }
        }

        private void WriteNumber(ReadOnlySpan<byte> number)
        {
            if (!System.Buffers.Text.Utf8Parser.TryParse(number, out long value, out var used)
                || used != number.Length
                || value is < -MaxInteger or > MaxInteger
                || number is [(byte)'-', (byte)'0', ..])
            {
                throw new FormatException(
                    $"Number {Encoding.UTF8.GetString(number[..Math.Min(number.Length, 40)])}: "
                    + "events hold integers within ±(2^53-1) only.");
            }

            _output.Write(number);
        }

        private int Compare(Member left, Member right)
        {
            var a = _names.AsSpan(left.NameStart, left.NameLength);
            var b = _names.AsSpan(right.NameStart, right.NameLength);

            // UTF-8 and UTF-16 order differ only between U+E000..U+FFFF and the supplementary planes.
            var common = a.CommonPrefixLength(b);
            return common < a.Length && common < b.Length && a[common] >= 0xEE && b[common] >= 0xEE
                ? string.CompareOrdinal(Encoding.UTF8.GetString(a), Encoding.UTF8.GetString(b))
                : a.SequenceCompareTo(b);
        }

        private void Refuse(bool duplicate, Member name)
        {
            if (duplicate)
            {
                throw new FormatException(
                    $"Member '{Encoding.UTF8.GetString(_names.AsSpan(name.NameStart, name.NameLength))}' stands twice.");
            }
        }
    }
}
