using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Compares a text with the one that was approved: NAME.verified.txt beside the test. What differs is kept as
/// NAME.received.txt; with MESHLEDGER_APPROVE=1 it becomes the approved one.</summary>
internal static partial class Approved
{
    public static void Check(string text, string name, [CallerFilePath] string source = "")
    {
        var place = Path.Combine(Meshledger.Repository, "tests", "EndToEnd.Tests", "snapshots", name);
        Assert.NotEmpty(source);
        if (Environment.GetEnvironmentVariable("MESHLEDGER_APPROVE") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.WriteAllText($"{place}.verified.txt", text);
            return;
        }

        var approved = File.Exists($"{place}.verified.txt") ? File.ReadAllText($"{place}.verified.txt") : "";
        if (approved != text)
        {
            File.WriteAllText($"{place}.received.txt", text);
        }

        Assert.Equal(approved, text);
    }

    /// <summary>Without what differs between two runs: keys, digests, times, durations.</summary>
    public static string Scrub(string text)
    {
        text = Did().Replace(text, "did:key:(KEY)");
        text = ShortKey().Replace(text, "z6Mk…(SHORT)");
        text = Hash().Replace(text, "(HASH)");
        text = Time().Replace(text, "(TIME)");
        return Duration().Replace(text, "(SECONDS) s");
    }

    [GeneratedRegex("did:key:z6Mk[1-9A-HJ-NP-Za-km-z]+")]
    private static partial Regex Did();

    [GeneratedRegex("z6Mk…[1-9A-HJ-NP-Za-km-z]{8}")]
    private static partial Regex ShortKey();

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex Hash();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")]
    private static partial Regex Time();

    [GeneratedRegex(@"\d+\.\d{6} s")]
    private static partial Regex Duration();
}
