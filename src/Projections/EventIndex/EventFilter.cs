namespace MeshLedger.Projections.EventIndex;

/// <summary>Which events are asked for. What is null or empty asks for nothing; all that is asked for must be so.</summary>
public sealed record EventFilter
{
    /// <summary>A stream, or with <c>*</c> at the end all whose names begin so.</summary>
    public string? Stream { get; init; }

    /// <summary>Wire names; one of them.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Authors as did:key; one of them.</summary>
    public IReadOnlyList<string> Authors { get; init; } = [];

    /// <summary>Of the job to whose stream the event belongs, as the next three.</summary>
    public string? Operation { get; init; }

    public string? Namespace { get; init; }

    /// <summary>All of them, each as <c>KEY=VALUE</c>.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Every word of it stands in the job's document: in a member's name, a string or a number. Words are runs of
    /// letters and digits, whatever their case; one with <c>*</c> behind it stands for all that begin so.</summary>
    public string? Text { get; init; }

    /// <summary>The author's time; from then on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>The author's time; before then.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Only positions behind this one.</summary>
    public long After { get; init; }

    /// <summary>Only positions before this one.</summary>
    public long Before { get; init; } = long.MaxValue;

    public int Limit { get; init; } = 100;

    public bool NewestFirst { get; init; }

    /// <summary>False for a text that no document has, since it has no words.</summary>
    public static bool HasWords(string text) => TextWord.Of(text).Any();
}

/// <summary>The positions that were found, in the order that was asked for.</summary>
/// <param name="More">True if there are more behind the last one.</param>
/// <param name="IndexedTo">The position up to which the index was when it was read.</param>
public sealed record EventPage(IReadOnlyList<long> Positions, bool More, long IndexedTo);

/// <summary>A word of a filter's text.</summary>
internal readonly record struct TextWord(string Word, bool IsPrefix)
{
    public static IEnumerable<TextWord> Of(string text) =>
        from part in text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        let words = EventTerms.WordsOf(part).ToArray()
        from i in Enumerable.Range(0, words.Length)
        select new TextWord(words[i], i == words.Length - 1 && part.EndsWith('*'));
}
