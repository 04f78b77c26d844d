using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Hosting;

/// <summary>What is shown of keys, read back: so that it can be typed where a key is asked for.</summary>
internal static class KnownKeys
{
    private const string Prefix = "did:key:";

    /// <summary>A key that is all there, with or without <c>did:key:</c>; else null.</summary>
    public static string? Whole(string text) =>
        Did.TryParse(text, out var key) || Did.TryParse(Prefix + text, out key) ? key.ToString() : null;

    /// <summary>The key that a text means: one of those that are known, shortened as <see cref="Names.Short"/> does it, with or
    /// without the role before it; or one of this data directory by its name.</summary>
    /// <param name="option">What was typed, for the error.</param>
    /// <returns>Null if it means none.</returns>
    /// <exception cref="CommandFailure">It means several.</exception>
    public static string? Find(string option, string text, IReadOnlyList<string> known, DataDirectory data)
    {
        if (Whole(text) is { } whole)
        {
            return whole;
        }

        if (SignerKeys.Files(data).FirstOrDefault(file => Path.GetFileNameWithoutExtension(file) == text) is { } own)
        {
            return SigningKey.Load(own).Did.ToString();
        }

        var typed = text[(text.LastIndexOf(' ') + 1)..].Replace("...", "…", StringComparison.Ordinal);
        if (typed.Split('…') is not [var start, var end] || start.Length + end.Length == 0)
        {
            return null;
        }

        start = start.StartsWith(Prefix, StringComparison.Ordinal) ? start : Prefix + start;
        var meant = known.Where(key => key.Length > start.Length + end.Length && key.StartsWith(start, StringComparison.Ordinal)
            && key.EndsWith(end, StringComparison.Ordinal)).ToList();
        return meant.Count > 1
            ? throw new CommandFailure(
                ExitCodes.Usage, $"{option}: '{SafeText.Cut(SafeText.Line(text), 80)}' is short for {meant.Count} keys: {string.Join(", ", meant.Take(3))}"
                + $"{(meant.Count > 3 ? ", ..." : "")}. Give more of it.")
            : meant.FirstOrDefault();
    }
}
