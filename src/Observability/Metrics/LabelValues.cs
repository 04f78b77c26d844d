namespace MeshLedger.Observability.Metrics;

/// <summary>
/// Keeps the values of a label few: what comes from documents and workers is written by others, and each value is a
/// time series that is kept for ever. At most <paramref name="most"/> values are known by name; all others are
/// <see cref="Other"/>. Safe for concurrent use.
/// </summary>
public sealed class LabelValues(int most)
{
    public const string Other = "other";
    private const int MaxLength = 64;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>Makes a value known, while there is room. True if it is.</summary>
    public bool Learn(string value)
    {
        if (value.Length is 0 or > MaxLength
            || !value.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-'))
        {
            return false;
        }

        lock (_lock)
        {
            return _known.Contains(value) || (_known.Count < most && _known.Add(value));
        }
    }

    /// <summary>The value if it is known.</summary>
    public string Of(string? value)
    {
        lock (_lock)
        {
            return value is not null && _known.Contains(value) ? value : Other;
        }
    }

    /// <summary>The value if it is known or there is room for it: the first ones are kept.</summary>
    public string OfFirst(string? value) => value is not null && Learn(value) ? value : Other;
}
