using MeshLedger.Wasm.Compilation;

namespace MeshLedger.Wasm;

// What both tiers keep with a module.
public sealed partial class Module
{
    /// <summary>Bytes of a body above which it is interpreted: the host's compiler would take long and use a large frame.</summary>
    internal const int LargestCompiledBody = 96 << 10;

    private CompiledCode? _compiled;
    private int _largestFrame;

    /// <summary>False makes code that cannot pause, to measure what pausing costs.</summary>
    internal bool Pausable { get; private set; } = true;

    internal Module WithoutPauses()
    {
        Pausable = false;
        return this;
    }

    internal CompiledCode Compiled
    {
        get
        {
            if (_compiled is null)
            {
                Interlocked.CompareExchange(ref _compiled, new CompiledCode(this), null);
            }
            return _compiled;
        }
    }

    /// <summary>
    /// Bytes that a compiled function's frame may take: every operand, local and intermediate value of the largest body in a
    /// place of its own.
    /// </summary>
    internal int LargestFrame
    {
        get
        {
            if (_largestFrame == 0)
            {
                var largest = 0;
                for (var i = 0; i < Bodies.Length; i++)
                {
                    var bytes = Bodies[i].End - Bodies[i].Start;
                    if (bytes <= LargestCompiledBody)
                    {
                        largest = Math.Max(largest, bytes);
                    }
                }
                _largestFrame = 4096 + (MostCompiledWords * 16) + (largest * 16);
            }
            return _largestFrame;
        }
    }

    /// <summary>Words of locals and operands above which a function is interpreted.</summary>
    internal const int MostCompiledWords = 4_096;

    internal bool IsCompilable(Code.FunctionCode code) =>
        code.LocalWords + code.OperandWords <= MostCompiledWords
        && Bodies[code.Index - ImportedFunctions] is var body && body.End - body.Start <= LargestCompiledBody;
}
