using System.Reflection.Emit;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Compilation;

/// <summary>
/// The compiled functions of a module: a table of code addresses by function index, which begins with stubs that compile on
/// first call. Shared by the module's instances and freed with it.
/// </summary>
internal sealed unsafe class CompiledCode
{
    /// <summary>Calls of a function that the adaptive tier interprets.</summary>
    private const byte Trials = 2;

    /// <summary>
    /// Places at which functions are entered anew that are kept compiled; beyond, one for each function goes on in the interpreter.
    /// </summary>
    private const int MostResumes = 4_096;

    private readonly Module _module;
    private readonly Thunks[] _thunks;
    private readonly NativeBlock _table;
    private readonly Lock _lock = new();

    // Whatever is in the table is kept alive here.
    private readonly DynamicMethod?[] _methods;
    private readonly PausePlace[]?[] _places;
    private readonly ValueType[]?[] _locals;
    private readonly byte[] _calls;
    private readonly Dictionary<(int Function, int Place, bool Awaiting), (DynamicMethod Method, nint Address)> _resumes = [];

    public CompiledCode(Module module)
    {
        _module = module;
        _thunks = new Thunks[module.Types.Length];
        _table = new NativeBlock(module.FunctionTypes.Length);
        _methods = new DynamicMethod?[module.FunctionTypes.Length];
        _places = new PausePlace[]?[module.FunctionTypes.Length];
        _locals = new ValueType[]?[module.FunctionTypes.Length];
        _calls = new byte[module.FunctionTypes.Length];
        for (var i = module.ImportedFunctions; i < module.FunctionTypes.Length; i++)
        {
            var thunks = _thunks[module.FunctionTypes[i]] ??= Thunks.For(module.Types[module.FunctionTypes[i]]);
            _table.Words[i] = (ulong)thunks.StubAddress;
        }
    }

    /// <summary>
    /// Whether a call is among the first few of its function, which most functions of a program never go beyond. The count is
    /// shared by threads and need not be exact.
    /// </summary>
    public bool IsOnTrial(int function)
    {
        if (_calls[function] >= Trials)
        {
            return false;
        }
        _calls[function]++;
        return true;
    }

    public nint* Table => (nint*)_table.Words;

    /// <summary>Calls a function that the module defines, arguments and results in slots.</summary>
    public static void Call(Instance instance, int function, Span<ulong> slots, int depth)
    {
        var code = instance.Module.Compiled;
        fixed (ulong* words = slots)
        {
            ulong none = 0;
            code._thunks[code._module.FunctionTypes[function]].Enter(
                instance.Code[function], instance, words is null ? &none : words, Context(function, depth));
        }
    }

    /// <summary>Rebuilds the frames of a paused guest and goes on; the results of the outermost function end in slots.</summary>
    public static void Resume(Instance instance, Span<ulong> slots, int depth)
    {
        var frames = instance.Owner.Frames;
        instance.Owner.Rewinding = frames.Count;
        var outermost = instance.Module.FunctionTypeOf(frames[^1].Function);
        var enter = Thunks.For(new FunctionType([], outermost.Results)).Enter;
        fixed (ulong* words = slots)
        {
            ulong none = 0;
            enter(instance.Module.Compiled.NextResume(instance), instance, words is null ? &none : words, Context(0, depth));
        }
    }

    public static long Context(int function, int depth) => ((long)function << 32) | (uint)depth;

    /// <summary>The address of a function's code, compiled now if it was not.</summary>
    public nint Compile(int function)
    {
        lock (_lock)
        {
            if (_methods[function] is null)
            {
                var code = _module.CodeOf(function);
                var compiler = new FunctionCompiler(_module, code, _module.Pausable);
                var method = compiler.IsFeasible ? compiler.Compile() : compiler.CompileDetour();
                var address = IlTypes.AddressOf(method);
                _places[function] = compiler.Places;
                _locals[function] = code.Locals;
                _methods[function] = method;
                Volatile.Write(ref Table[function], address);
            }
            return Table[function];
        }
    }

    public PausePlace PlaceOf(int function, int place) => _places[function]![place];

    public ReadOnlySpan<ValueType> LocalsOf(int function) => _locals[function];

    /// <summary>Code that continues the next frame to be rebuilt, outermost first.</summary>
    public nint NextResume(Instance instance)
    {
        var frame = instance.Owner.Frames[instance.Owner.Rewinding - 1];
        lock (_lock)
        {
            Compile(frame.Function);
            var awaiting = frame.Point == PausePoint.AwaitingCall;
            var place = Array.FindIndex(
                _places[frame.Function]!,
                p => p.Offset == frame.Offset && p.Point == (awaiting ? PausePoint.AfterCall : frame.Point));
            // A function that is not compiled has no places; one way back serves all of them.
            var detour = (frame.Function, Place: -1, Awaiting: false);
            var key = place < 0 ? detour : (frame.Function, place, awaiting);
            if (_resumes.TryGetValue(key, out var resume))
            {
                return resume.Address;
            }
            if (_resumes.Count >= MostResumes)
            {
                key = detour;
                if (_resumes.TryGetValue(key, out resume))
                {
                    return resume.Address;
                }
            }
            // Compiling takes time and no fuel, and a deep stack may need much of it.
            instance.Owner.EndIfLate();
            var compiler = new FunctionCompiler(_module, _module.CodeOf(frame.Function), pausable: true);
            var method = key == detour ? compiler.CompileResumeDetour() : compiler.CompileResume(place, awaiting);
            resume = (method, IlTypes.AddressOf(method));
            _resumes.Add(key, resume);
            return resume.Address;
        }
    }
}

/// <summary>A place in compiled code at which it can stand still: what the interpreter knows by offset and kind.</summary>
/// <param name="Words">Of locals and operands, results of a call included.</param>
/// <param name="ResultWords">Of a call's results, the last of the words; not there while the call is awaited.</param>
internal sealed record PausePlace(int Offset, PausePoint Point, int Words, int ResultWords)
{
    /// <summary>The locals that are read again from here on, a bit each; the others were not saved. Null is all of them.</summary>
    public ulong[]? Live { get; init; }

    public void ClearDead(Span<ulong> words, ReadOnlySpan<ValueType> locals)
    {
        var word = 0;
        for (var i = 0; Live is not null && i < locals.Length; i++)
        {
            var size = locals[i].Words();
            if ((Live[i >> 6] & (1UL << (i & 63))) == 0)
            {
                words.Slice(word, size).Clear();
            }
            word += size;
        }
    }
}
