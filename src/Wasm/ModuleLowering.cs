using MeshLedger.Wasm.Interpretation;

namespace MeshLedger.Wasm;

// What the interpreter keeps with a module.
public sealed partial class Module
{
    private LoweredModule? _lowered;

    internal LoweredModule Lowered =>
        Volatile.Read(ref _lowered) ?? Interlocked.CompareExchange(ref _lowered, new LoweredModule(this), null) ?? _lowered!;
}
