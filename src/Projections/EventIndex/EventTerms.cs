using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Projections.EventIndex;

/// <summary>The terms by which events are found, as <c>event_index.sql</c> lists them, and the blocks in which their
/// positions stand.</summary>
internal static class EventTerms
{
    public const int Block = 512;

    /// <summary>The columns: a value for every position.</summary>
    public const string Job = "job";
    public const string Time = "time";

    /// <summary>The earliest and latest time of a block, apart from the times, which are large.</summary>
    public const string Span = "span";

    /// <summary>More labels and words than this of one document are not indexed: a hostile one has a million.</summary>
    public const int MostOfADocument = 4096;

    /// <summary>A longer run of letters and digits is a hash or an encoding, and nobody's word.</summary>
    public const int LongestWord = 64;

    private const int LongestValue = 200;

    public static int BlockOf(long position) => checked((int)((position - 1) / Block));

    public static int OffsetOf(long position) => (int)((position - 1) % Block);

    public static string Stream(string stream) => Of('s', stream);

    public static string Kind(string kind) => Of('k', kind);

    public static string Type(string type) => Of('t', type);

    public static string Author(string did) => Of('a', did);

    public static string Operation(string operation) => Of('o', operation);

    public static string Namespace(string name) => Of('n', name);

    /// <summary>Of <c>KEY=VALUE</c>.</summary>
    public static string Label(string pair) => Of('l', pair);

    public static string Word(string word) => Of('w', word);

    /// <summary>What a job is found by, beside its stream: operation, namespace, labels, words of its document.</summary>
    public static HashSet<string> Of(JobEvent.Submitted submitted)
    {
        var terms = new HashSet<string> { Operation(submitted.Operation) };
        if (submitted.Terms.Namespace is { } name)
        {
            terms.Add(Namespace(name));
        }

        try
        {
            using var json = JsonDocument.Parse(submitted.Document);
            AddLabels(terms, json.RootElement);
            AddWords(terms, json.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No node takes such a document in; the audit says so, and here it has no words.
        }

        return terms;
    }

    /// <summary>Runs of letters and digits in lower case.</summary>
    public static IEnumerable<string> WordsOf(string text)
    {
        var word = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsLetterOrDigit(rune))
            {
                if (word.Length <= LongestWord)
                {
                    word.Append(Rune.ToLowerInvariant(rune));
                }

                continue;
            }

            if (word.Length is > 0 and <= LongestWord)
            {
                yield return word.ToString();
            }

            word.Clear();
        }

        if (word.Length is > 0 and <= LongestWord)
        {
            yield return word.ToString();
        }
    }

    private static void AddLabels(HashSet<string> terms, JsonElement document)
    {
        if (document.ValueKind != JsonValueKind.Object
            || !document.TryGetProperty("metadata", out var metadata) || metadata.ValueKind != JsonValueKind.Object
            || !metadata.TryGetProperty("labels", out var labels) || labels.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var label in labels.EnumerateObject())
        {
            if (label.Value.ValueKind == JsonValueKind.String && terms.Count < MostOfADocument)
            {
                terms.Add(Label($"{label.Name}={label.Value.GetString()}"));
            }
        }
    }

    /// <summary>Of member names, strings and numbers, in the order of the document.</summary>
    private static void AddWords(HashSet<string> terms, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    AddWords(terms, member.Name);
                    AddWords(terms, member.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (var entry in element.EnumerateArray())
                {
                    AddWords(terms, entry);
                }

                break;
            case JsonValueKind.String:
                AddWords(terms, element.GetString()!);
                break;
            case JsonValueKind.Number:
                AddWords(terms, element.GetRawText());
                break;
        }
    }

    private static void AddWords(HashSet<string> terms, string text)
    {
        if (terms.Count >= MostOfADocument)
        {
            return;
        }

        foreach (var word in WordsOf(text))
        {
            terms.Add(Word(word));
            if (terms.Count >= MostOfADocument)
            {
                return;
            }
        }
    }

    private static string Of(char kind, string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        return bytes <= LongestValue ? $"{kind} {value}" : $"{kind} #{Digest.OfBytes(Encoding.UTF8.GetBytes(value))}";
    }
}
