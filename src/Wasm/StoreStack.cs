using MeshLedger.Wasm.Interpretation;

namespace MeshLedger.Wasm;

// The interpreter's stack, made when it first runs.
public sealed partial class Store
{
    private InterpreterStack? _stack;

    internal InterpreterStack Stack => _stack ??= new InterpreterStack(Limits.CallDepth);
}
