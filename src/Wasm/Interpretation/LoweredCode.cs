using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Compilation;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>An instruction of the lowered form. 24 bytes; places in the frame are in bytes from its start.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Instruction
{
    public Step Step;

    /// <summary>Of a conditional jump: the fuel of what follows when it is not taken. Of lane instructions: the lane.</summary>
    public ushort Extra;

    public int A;
    public int B;
    public int C;
    public long Immediate;
}

/// <summary>A function in the interpreter's form. Immutable once made; instances and threads share it.</summary>
internal sealed unsafe class LoweredCode
{
    // Pinned, so that jumps are distances and frames may hold addresses.
    private readonly Instruction[] _instructions;
    private readonly int[] _origins;
    private readonly Lazy<Dictionary<int, ulong[]>?> _live;

    public LoweredCode(FunctionCode source, List<Instruction> instructions, List<int> origins)
    {
        Source = source;
        Function = source.Index;
        Depth = source.Depth;
        FirstZero = source.Type.ParameterWords * sizeof(ulong);
        AfterZero = source.LocalWords * sizeof(ulong);
        _instructions = GC.AllocateUninitializedArray<Instruction>(instructions.Count, pinned: true);
        instructions.CopyTo(_instructions);
        _origins = [.. origins];
        _live = new Lazy<Dictionary<int, ulong[]>?>(() => Liveness.Of(source));
        BeforeStart = (Instruction*)Marshal.UnsafeAddrOfPinnedArrayElement(_instructions, 0) - 1;
    }

    public FunctionCode Source { get; }

    // Fields: the loop reads them.
    public readonly int Function;
    public readonly int Depth;

    /// <summary>The locals that are not parameters, as places in the frame.</summary>
    public readonly int FirstZero;
    public readonly int AfterZero;
    public readonly Instruction* BeforeStart;

    /// <summary>Bytes of a frame.</summary>
    public int FrameSize => (Source.LocalWords + Source.OperandWords) * sizeof(ulong);

    /// <summary>
    /// The words of a frame that stands still at an op. Locals that are written before they are read again are 0, as the compiler
    /// does not keep them either: both tiers save the same.
    /// </summary>
    public ulong[] Image(byte* frame, int op, int words)
    {
        var image = new ReadOnlySpan<ulong>(frame, words).ToArray();
        if (_live.Value?.GetValueOrDefault(op) is { } live)
        {
            var word = 0;
            for (var i = 0; i < Source.Locals.Length; i++)
            {
                var size = Source.Locals[i].Words();
                if ((live[i >> 6] >> i & 1) == 0)
                {
                    image.AsSpan(word, size).Clear();
                }
                word += size;
            }
        }
        return image;
    }

    /// <summary>The op of the validated form that an instruction was made of.</summary>
    public int OriginOf(Instruction* instruction) => _origins[(int)(instruction - BeforeStart) - 1];

    /// <summary>The call, or the checked charge, that was made of an op.</summary>
    public Instruction* Find(int op)
    {
        for (var i = 0; i < _origins.Length; i++)
        {
            if (_origins[i] == op
                && _instructions[i].Step is Step.Call or Step.CallImport or Step.CallIndirect or Step.ChargeCheck)
            {
                return BeforeStart + 1 + i;
            }
        }
        throw new ArgumentOutOfRangeException(nameof(op));
    }
}

/// <summary>The lowered functions of a module, made on first call and shared by its instances.</summary>
internal sealed class LoweredModule(Module module)
{
    /// <summary>By function index; imported functions have none.</summary>
    public readonly LoweredCode?[] Functions = new LoweredCode?[module.FunctionTypes.Length];

    /// <summary>Two threads may both lower a function; the first to end is kept.</summary>
    public LoweredCode Lower(int function)
    {
        var made = new Lowering(module, module.CodeOf(function)).Lower();
        return Interlocked.CompareExchange(ref Functions[function], made, null) ?? made;
    }

    public LoweredCode Of(int function) => Volatile.Read(ref Functions[function]) ?? Lower(function);
}
