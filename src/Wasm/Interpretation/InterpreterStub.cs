using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Interpretation;

internal static class Interpreter
{
    public static void Call(Instance instance, int function, Span<ulong> slots, int depth) => throw new NotSupportedException();

    public static void Resume(Instance instance, IReadOnlyList<SavedFrame> frames, Span<ulong> results, int depth) => throw new NotSupportedException();
}
