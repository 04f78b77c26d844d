using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Wasm.Runtime;

/// <summary>
/// Guest functions in a host's stack trace. Compiled functions bear their index and name in their method's name, so a trap
/// costs nothing until it happens; the interpreter writes its frames down itself.
/// </summary>
internal static class BackTraces
{
    public const int Longest = 64;

    private const string Prefix = "wasm[";

    public static string MethodName(int function, string? name) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}{function}]{name}");

    /// <summary>Always true: a filter of exceptions uses it, so that they need not be thrown again.</summary>
    public static bool Completes(TrapException trap)
    {
        if (trap.BackTrace.Length < Longest && !trap.IsComplete)
        {
            Complete(trap);
        }
        return true;
    }

    private static void Complete(TrapException trap)
    {
        trap.IsComplete = true;
        var frames = trap.BackTrace.ToBuilder();
        foreach (var frame in new StackTrace(trap, fNeedFileInfo: false).GetFrames())
        {
            if (frames.Count == Longest)
            {
                break;
            }
            if (frame.GetMethod()?.Name is { } name && name.StartsWith(Prefix, StringComparison.Ordinal)
                && name.IndexOf(']', StringComparison.Ordinal) is > 0 and var end
                && int.TryParse(name.AsSpan(Prefix.Length, end - Prefix.Length), CultureInfo.InvariantCulture, out var index))
            {
                frames.Add(new TrapFrame(index, end + 1 < name.Length ? name[(end + 1)..] : null));
            }
        }
        trap.BackTrace = frames.ToImmutable();
    }
}
