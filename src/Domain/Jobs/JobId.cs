namespace MeshLedger.Domain.Jobs;

/// <summary>
/// A job's name, chosen by who submits it: 8 to 128 characters from <c>A-Z a-z 0-9 . _ : -</c>. Two ids are equal when
/// their characters are. The alphabet has no slash, so an id is one path segment; "." and ".." are too short to be ids.
/// </summary>
public readonly record struct JobId : IComparable<JobId>
{
    public const int MinLength = 8;
    public const int MaxLength = 128;
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    private static readonly System.Buffers.SearchValues<char> Allowed = System.Buffers.SearchValues.Create(Alphabet);

    private readonly string? _value;

    private JobId(string value)
    {
        _value = value;
    }

    /// <summary>What a job id may be, for error messages.</summary>
    public static string Expected => "8 to 128 characters from A-Z a-z 0-9 . _ : -";

    /// <summary>True for the default value, which is no id.</summary>
    public bool IsDefault => _value is null;

    public static bool TryParse(string? text, out JobId id)
    {
        var valid = text is { Length: >= MinLength and <= MaxLength } && !text.AsSpan().ContainsAnyExcept(Allowed);
        id = valid ? new JobId(text!) : default;
        return valid;
    }

    /// <exception cref="FormatException">The text is no job id.</exception>
    public static JobId Parse(string? text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"'{text}' is no job id: expected {Expected}.");

    /// <inheritdoc/>
    public int CompareTo(JobId other) => string.CompareOrdinal(_value, other._value);

    public override string ToString() => _value ?? "(no job id)";

    public static bool operator <(JobId left, JobId right) => left.CompareTo(right) < 0;

    public static bool operator <=(JobId left, JobId right) => left.CompareTo(right) <= 0;

    public static bool operator >(JobId left, JobId right) => left.CompareTo(right) > 0;

    public static bool operator >=(JobId left, JobId right) => left.CompareTo(right) >= 0;
}
