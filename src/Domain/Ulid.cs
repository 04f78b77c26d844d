namespace MeshLedger.Domain;

/// <summary>
/// A 128-bit id that sorts by the time it was made: 48 bits of milliseconds since 1970, then 80 random bits. Written as
/// 26 characters of Crockford's base 32 (<c>0-9 A-Z</c> without <c>I L O U</c>), upper case; the order of ids is the
/// ordinal order of their texts. Example: <c>01JAB3Y7X5K4M8F9W2T6QZ0RSN</c>. The default value is no id.
/// </summary>
public readonly record struct Ulid : IComparable<Ulid>
{
    /// <summary>Length of the text, in characters.</summary>
    public const int TextLength = 26;

    /// <summary>Length of the random part, in bytes.</summary>
    public const int RandomSize = 10;

    private const int RandomBits = 8 * RandomSize;
    private const string Digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    private readonly UInt128 _value;

    private Ulid(UInt128 value)
    {
        _value = value;
    }

    /// <summary>Made from a time, of which whole milliseconds count, and 10 random bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is before 1970.</exception>
    /// <exception cref="ArgumentException">There are not 10 bytes, or time and bytes are all zero.</exception>
    public Ulid(DateTimeOffset time, ReadOnlySpan<byte> random)
    {
        var milliseconds = time.ToUnixTimeMilliseconds();
        ArgumentOutOfRangeException.ThrowIfNegative(milliseconds, nameof(time));
        if (random.Length != RandomSize)
        {
            throw new ArgumentException($"Expected {RandomSize} random bytes, found {random.Length}.", nameof(random));
        }

        _value = (ulong)milliseconds;
        foreach (var part in random)
        {
            _value = (_value << 8) | part;
        }

        if (IsDefault)
        {
            throw new ArgumentException("Time and random part are all zero, which is no id.", nameof(random));
        }
    }

    /// <summary>What the text of an id is, for error messages.</summary>
    public static string Expected =>
        "26 characters from 0-9 A-Z without I L O U, the first from 0-7, not all of them 0";

    /// <summary>True for the default value, which is no id.</summary>
    public bool IsDefault => _value == UInt128.Zero;

    /// <summary>When the id was made, to the millisecond, in UTC.</summary>
    /// <exception cref="InvalidOperationException">The id was not made by a clock: its time lies after the year 9999.
    /// </exception>
    public DateTimeOffset Time
    {
        get
        {
            var milliseconds = (long)(ulong)(_value >> RandomBits);
            return milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
                ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
                : throw new InvalidOperationException($"The time of {this} lies after the year 9999.");
        }
    }

    /// <summary>Reads 26 characters, in either case. False for a value over 128 bits and for zero, too.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ulid id)
    {
        id = default;
        if (text.Length != TextLength || text[0] > '7')
        {
            return false;
        }

        var value = UInt128.Zero;
        foreach (var character in text)
        {
            var digit = char.IsAscii(character)
                ? Digits.IndexOf(char.ToUpperInvariant(character), StringComparison.Ordinal)
                : -1;
            if (digit < 0)
            {
                return false;
            }

            value = (value << 5) | (uint)digit;
        }

        id = new Ulid(value);
        return !id.IsDefault;
    }

    /// <inheritdoc cref="TryParse"/>
    /// <exception cref="FormatException">The text is anything else.</exception>
    public static Ulid Parse(ReadOnlySpan<char> text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"'{text}' is no ULID: expected {Expected}.");

    /// <inheritdoc/>
    public int CompareTo(Ulid other) => _value.CompareTo(other._value);

    public override string ToString() => string.Create(TextLength, _value, static (text, value) =>
    {
        for (var i = text.Length - 1; i >= 0; i--)
        {
            text[i] = Digits[(int)(uint)(value & 31)];
            value >>= 5;
        }
    });

    /// <summary>The next id in order. When the random part is exhausted, it carries into the millisecond.</summary>
    internal Ulid Next() => new(checked(_value + UInt128.One));

    public static bool operator <(Ulid left, Ulid right) => left.CompareTo(right) < 0;

    public static bool operator <=(Ulid left, Ulid right) => left.CompareTo(right) <= 0;

    public static bool operator >(Ulid left, Ulid right) => left.CompareTo(right) > 0;

    public static bool operator >=(Ulid left, Ulid right) => left.CompareTo(right) >= 0;
}

/// <summary>Fills the span with random bytes, such as <c>RandomNumberGenerator.Fill</c> does.</summary>
public delegate void RandomSource(Span<byte> bytes);

/// <summary>
/// Makes ids that strictly ascend: within one millisecond, and while the clock runs backwards, each is the one before
/// plus one. Safe to share between threads.
/// </summary>
public sealed class UlidFactory(TimeProvider clock, RandomSource random)
{
    private readonly Lock _gate = new();
    private Ulid _last;

    /// <summary>An id greater than every one that this factory made before.</summary>
    public Ulid New()
    {
        Span<byte> bytes = stackalloc byte[Ulid.RandomSize];
        random(bytes);
        lock (_gate)
        {
            var now = clock.GetUtcNow();
            var sameMillisecond = !_last.IsDefault && now.ToUnixTimeMilliseconds() <= _last.Time.ToUnixTimeMilliseconds();
            _last = sameMillisecond ? _last.Next() : new Ulid(now, bytes);
            return _last;
        }
    }
}
