using System.Text;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What outputs and engines may be called. Their names are a worker's or a guest's own, and stand in attestations
/// and in what verifiers print: one with a line end or an escape would forge the lines around it.</summary>
public static class OutputName
{
    /// <summary>The longest name of an output, in bytes of UTF-8.</summary>
    public const int MaxBytes = 1024;

    private const int MaxEngineBytes = 255;

    /// <summary>What a name must be, for messages.</summary>
    public static string Expected { get; } =
        $"1 to {MaxBytes} bytes without controls and bidirectional controls, no '/' at the beginning, and no '..' between slashes";

    /// <summary>Whether an output may be called so: a path where the name has slashes, and none that leads elsewhere.</summary>
    public static bool IsLegal(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return IsPlain(name, MaxBytes) && name[0] != '/' && !name.Split('/').Contains("..");
    }

    /// <summary>Refuses what a receipt's outputs must not be called.</summary>
    internal static Refusal? Check(IEnumerable<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (Check(name) is { } refusal)
            {
                return refusal;
            }

            if (!seen.Add(name))
            {
                return JobRules.No("WRONG_NAME", $"two outputs are called {name}");
            }
        }

        return null;
    }

    internal static Refusal? Check(string name) =>
        IsLegal(name) ? null : JobRules.No("WRONG_NAME", $"the name of an output has {Expected}");

    internal static Refusal? Check(EngineName engine) => JobRules.Require(
        IsPlain(engine.Name, MaxEngineBytes) && IsPlain(engine.Version, MaxEngineBytes),
        "WRONG_ENGINE",
        $"an engine's name and version have 1 to {MaxEngineBytes} bytes without controls and bidirectional controls");

    private static bool IsPlain(string text, int maxBytes) =>
        text.Length > 0 && Encoding.UTF8.GetByteCount(text) <= maxBytes && !text.Any(IsControl);

    /// <summary>C0, DEL, C1, and what turns the direction of the text around it.</summary>
    private static bool IsControl(char letter) =>
        char.IsControl(letter) || letter is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');
}
