using System.Globalization;
using MeshLedger.Domain.Jobs;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>What is said of how a guest ended.</summary>
internal static class WasmOutcome
{
    private const int MaxFrames = 12;
    private const int MaxNamed = 5;

    /// <summary>What the output is called that is a file under /out.</summary>
    public static string NameOf(GuestOutput file) => NameOf(file.Path);

    /// <summary>Of a guest that ended by itself: only exit code 0 with all of its files is success.</summary>
    public static OperationError? Of(
        int exitCode, IReadOnlyList<GuestOutput> files, WasmPayload payload, int mostFiles)
    {
        if (exitCode != 0)
        {
            return Failure(
                "GUEST_FAILED", string.Create(CultureInfo.InvariantCulture, $"The program exited with code {exitCode}."));
        }

        if (files.Count > mostFiles)
        {
            return Failure("TOO_MANY_OUTPUTS", $"The program left {files.Count} files under /out; {mostFiles} may be there.");
        }

        if (files.FirstOrDefault(file => !OutputName.IsLegal(NameOf(file))) is { } odd)
        {
            return Failure(
                "WRONG_OUTPUT_NAME",
                $"The program left a file under /out that no output can be called after: '{AttemptRunner.Clean(odd.Path)}'. "
                    + $"Expected {OutputName.Expected}, in all of '{NameOf("NAME")}'.");
        }

        var there = files.Select(file => $"/out/{file.Path}").ToHashSet(StringComparer.Ordinal);
        var missing = payload.Files.Where(path => !there.Contains(path)).ToList();
        return missing.Count == 0 ? null : Failure(
            "OUTPUT_MISSING",
            $"The program ended well, but did not write {string.Join(", ", missing.Take(MaxNamed))}"
                + (missing.Count > MaxNamed ? $" and {missing.Count - MaxNamed} more." : "."));
    }

    /// <summary>Of a guest that was stopped. The same code and the same words wherever it is run, but for the time limit,
    /// which depends on the machine.</summary>
    public static OperationError Of(TrapException trap, WasmPayload payload, TimeSpan limit) => trap.Kind switch
    {
        TrapKind.OutOfFuel => Failure(
            "OUT_OF_FUEL",
            string.Create(CultureInfo.InvariantCulture, $"The program used up its fuel of {payload.Fuel} units{Trace(trap)}")),
        TrapKind.DeadlineExceeded => Failure(
            "TIMEOUT",
            string.Create(
                CultureInfo.InvariantCulture,
                $"The program ran for longer than the {limit.TotalSeconds:0} s that it has{Trace(trap)}"),
            recoverable: true),
        TrapKind.CallStackExhausted => Failure(
            "CALL_DEPTH_EXCEEDED",
            string.Create(
                CultureInfo.InvariantCulture, $"The program's calls went deeper than {payload.CallDepth} units{Trace(trap)}")),
        TrapKind.HostError => Failure("EXECUTION_ERROR", $"The engine failed: {trap.Message}{Trace(trap)}", recoverable: true),
        _ => Failure("GUEST_TRAPPED", $"The program trapped: {trap.Message}{Trace(trap)}"),
    };

    private static string Trace(TrapException trap) => trap.BackTrace.IsDefaultOrEmpty
        ? "."
        : $", in {string.Join(" < ", trap.BackTrace.Take(MaxFrames))}{(trap.BackTrace.Length > MaxFrames ? " < ..." : ".")}";

    private static string NameOf(string path) => $"files/out/{path}";

    private static OperationError Failure(string code, string message, bool recoverable = false) =>
        new(code, message, "execution", recoverable);
}
