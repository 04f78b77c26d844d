using System.Reflection;
using System.Reflection.Emit;
using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Compilation;

/// <summary>
/// One function to IL. Operands are on IL's own stack within straight-line code, and in IL locals (one a position and type)
/// wherever code branches, calls or touches memory; parameters and locals are IL arguments and locals. See the README of this
/// room for the conventions of calls, fuel and pauses.
/// </summary>
internal sealed partial class FunctionCompiler
{
    private const int MostSavedWords = 60_000;

    private const int MostCarriedWords = 500_000;

    private static readonly FieldInfo FuelField = IlTypes.Field<Instance>(nameof(Instance.Fuel));
    private static readonly FieldInfo StackLimitField = IlTypes.Field<Instance>(nameof(Instance.StackLimit));
    private static readonly FieldInfo MemoryBaseField = IlTypes.Field<Instance>(nameof(Instance.MemoryBase));
    private static readonly FieldInfo MemoryLengthField = IlTypes.Field<Instance>(nameof(Instance.MemoryLength));
    private static readonly FieldInfo SlotsField = IlTypes.Field<Instance>(nameof(Instance.Slots));

    private readonly Module _module;
    private readonly FunctionCode _code;
    private readonly bool _pausable;
    private readonly List<PausePlace> _places = [];
    private readonly Dictionary<int, ulong[]>? _live;
    private readonly bool[] _pure;
    private readonly bool _usesMemory;

    private ILGenerator _il = null!;
    private bool _resuming;

    // Where the instance and the call's context are among the arguments.
    private short _instance;
    private short _context;

    private LocalBuilder[] _locals = [];
    private LocalBuilder _fuel = null!;
    private LocalBuilder _depth = null!;
    private LocalBuilder _base = null!;
    private LocalBuilder _length = null!;
    private LocalBuilder _address = null!;
    private LocalBuilder? _frame;
    private Label _memoryTrap;
    private Label _unwind;
    private bool _memoryTraps;
    private bool _unwinds;

    public FunctionCompiler(Module module, FunctionCode code, bool pausable)
    {
        _module = module;
        _code = code;
        _pausable = pausable;
        _live = pausable ? Liveness.Of(code) : null;
        _pure = PureLocals(code);
        _usesMemory = module.Memories.Length > 0 && Array.Exists(
            code.Ops, op => Signatures.Of(op.Code).Shape is OpShape.Load or OpShape.Store or OpShape.LoadLane or OpShape.StoreLane);
    }

    /// <summary>
    /// Whether the host's compiler can be asked: not for frames, bodies or saved words so large that it would take long or use
    /// much of the stack.
    /// </summary>
    public bool IsFeasible => _module.IsCompilable(_code) && (!_pausable || SavedWords() <= MostSavedWords) && CarriedWords() <= MostCarriedWords;

    /// <summary>Where the code can stand still, known after compilation.</summary>
    public PausePlace[] Places => [.. _places];

    public DynamicMethod Compile()
    {
        var method = Begin(IlTypes.ParametersOf(_code.Type));
        Enter(arguments: _code.Type.Parameters.Length);
        Body();
        return method;
    }

    /// <summary>A function that is too large to compile: each call of it runs in the interpreter.</summary>
    public DynamicMethod CompileDetour()
    {
        var method = Begin(IlTypes.ParametersOf(_code.Type));
        Detour(resume: false);
        return method;
    }

    /// <summary>
    /// The same function, entered at a place where it stood still: <paramref name="awaiting"/> a call whose frame is to be rebuilt
    /// first, or with its operands complete.
    /// </summary>
    public DynamicMethod CompileResume(int place, bool awaiting)
    {
        _resuming = true;
        (_resumePlace, _resumeAwaiting) = (place, awaiting);
        var method = Begin([typeof(Instance), typeof(long)]);
        Enter(arguments: 0);
        _resumeLabel = _il.DefineLabel();
        _il.Emit(OpCodes.Br, _resumeLabel);
        Body();
        return method;
    }

    public DynamicMethod CompileResumeDetour()
    {
        _resuming = true;
        var method = Begin([typeof(Instance), typeof(long)]);
        Detour(resume: true);
        return method;
    }

    // All places together: that is how much code saving takes.
    private long SavedWords()
    {
        var words = 0L;
        for (var i = 0; i < _code.Ops.Length; i++)
        {
            ref readonly var op = ref _code.Ops[i];
            if (op.Code is Opcode.Call or Opcode.CallIndirect || (op.Code == Opcode.Charge && op.A == 1))
            {
                words += op.Height;
                words += LiveAt(i)?.Sum(set => System.Numerics.BitOperations.PopCount(set)) ?? _code.Locals.Length;
            }
        }
        return words;
    }

    // What branches may have to move, at most: all operands, for each label.
    private long CarriedWords()
    {
        var words = 0L;
        foreach (ref readonly var op in _code.Ops.AsSpan())
        {
            words += op.Code switch
            {
                Opcode.Br or Opcode.BrIf or Opcode.Return => op.Height,
                Opcode.BrTable => (long)op.Height * _code.BranchTables[op.A].Length,
                _ => 0,
            };
        }
        return words;
    }

    private DynamicMethod Begin(Type[] parameters)
    {
        var method = new DynamicMethod(
            BackTraces.MethodName(_code.Index, _module.NameOf(_code.Index)),
            IlTypes.ResultOf(_code.Type), parameters, typeof(Instance).Module, skipVisibility: true)
        {
            InitLocals = false,
        };
        _il = method.GetILGenerator(Math.Max(256, _code.Ops.Length * 8));
        (_instance, _context) = ((short)(parameters.Length - 2), (short)(parameters.Length - 1));
        return method;
    }

    private void Enter(int arguments)
    {
        // A frame's address near the end of the host's stack: go on where frames are not on it.
        var entered = _il.DefineLabel();
        var probe = _il.DeclareLocal(typeof(long));
        _il.Emit(OpCodes.Ldloca, probe);
        _il.Emit(OpCodes.Conv_U);
        Field(StackLimitField);
        _il.Emit(OpCodes.Bge_Un, entered);
        Detour(_resuming);
        _il.MarkLabel(entered);
        Depth();
        DeclareLocals(arguments);
        LoadState();
    }

    // Trap if this frame goes below the call depth's end; what is left is kept for calls.
    private void Depth()
    {
        _depth = _il.DeclareLocal(typeof(long));
        var deep = _il.DefineLabel();
        _il.Emit(OpCodes.Ldarg, _context);
        _il.Emit(OpCodes.Conv_U4);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Ldc_I8, (long)_code.Depth);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stloc, _depth);
        _il.Emit(OpCodes.Ldloc, _depth);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Bge, deep);
        Throw(TrapKind.CallStackExhausted);
        _il.MarkLabel(deep);
    }

    private void DeclareLocals(int arguments)
    {
        _locals = new LocalBuilder[_code.Locals.Length];
        for (var i = arguments; i < _locals.Length; i++)
        {
            _locals[i] = _il.DeclareLocal(IlTypes.Of(_code.Locals[i]));
            _il.Default(_code.Locals[i]);
            _il.Emit(OpCodes.Stloc, _locals[i]);
        }
    }

    private void LoadState()
    {
        _fuel = _il.DeclareLocal(typeof(long));
        _base = _il.DeclareLocal(typeof(nint));
        _length = _il.DeclareLocal(typeof(long));
        _address = _il.DeclareLocal(typeof(long));
        _memoryTrap = _il.DefineLabel();
        _unwind = _il.DefineLabel();
        ReloadFuel();
        if (_usesMemory)
        {
            Field(MemoryBaseField);
            _il.Emit(OpCodes.Stloc, _base);
            ReloadLength();
        }
    }

    private void Body()
    {
        _labels.Add(new BlockLabel { Opener = -1, Types = [.. _code.Type.Results] });
        for (var i = 0; i < _code.Ops.Length; i++)
        {
            Emit(i, in _code.Ops[i]);
        }
        foreach (var cold in _cold)
        {
            cold();
        }
        if (_memoryTraps)
        {
            _il.MarkLabel(_memoryTrap);
            SaveFuel();
            Throw(TrapKind.OutOfBoundsMemoryAccess);
        }
        if (_unwinds)
        {
            _il.MarkLabel(_unwind);
            if (_code.Type.Results.Length > 0)
            {
                _il.Default(_code.Type.Results[0]);
            }
            _il.Emit(OpCodes.Ret);
        }
    }

    // Arguments into the instance's slots, the interpreter, results from them.
    private void Detour(bool resume)
    {
        if (!resume)
        {
            var word = 0;
            for (var i = 0; i < _code.Type.Parameters.Length; i++)
            {
                Field(SlotsField);
                _il.Emit(OpCodes.Ldc_I4, word * 8);
                _il.Emit(OpCodes.Add);
                _il.Emit(OpCodes.Ldarg, (short)i);
                _il.StoreWord(_code.Type.Parameters[i]);
                word += _code.Type.Parameters[i].Words();
            }
        }
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldc_I4, _code.Index);
        _il.Emit(OpCodes.Ldarg, _context);
        Call(resume ? nameof(CompiledRuntime.ResumeInterpreted) : nameof(CompiledRuntime.Interpret));
        if (_code.Type.Results.Length > 0)
        {
            Field(SlotsField);
            _il.Load(_code.Type.Results[0]);
        }
        _il.Emit(OpCodes.Ret);
    }

    private void Throw(TrapKind kind)
    {
        _il.Emit(OpCodes.Ldc_I4, (int)kind);
        Call(nameof(CompiledRuntime.Trap));
        _il.Emit(OpCodes.Throw);
    }

    private void Field(FieldInfo field)
    {
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldfld, field);
    }

    private void SaveFuel()
    {
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldloc, _fuel);
        _il.Emit(OpCodes.Stfld, FuelField);
    }

    private void ReloadFuel()
    {
        Field(FuelField);
        _il.Emit(OpCodes.Stloc, _fuel);
    }

    private void ReloadLength()
    {
        if (_usesMemory)
        {
            Field(MemoryLengthField);
            _il.Emit(OpCodes.Stloc, _length);
        }
    }

    private void Call(string helper) => _il.Emit(OpCodes.Call, IlTypes.Static(typeof(CompiledRuntime), helper));

    private bool IsArgument(int local) => !_resuming && local < _code.Type.Parameters.Length;

    private void LoadLocal(int local)
    {
        if (IsArgument(local))
        {
            _il.Emit(OpCodes.Ldarg, (short)local);
        }
        else
        {
            _il.Emit(OpCodes.Ldloc, _locals[local]);
        }
    }

    private void StoreLocal(int local)
    {
        if (IsArgument(local))
        {
            _il.Emit(OpCodes.Starg, (short)local);
        }
        else
        {
            _il.Emit(OpCodes.Stloc, _locals[local]);
        }
    }

    /// <summary>
    /// Float locals that only ever hold results of arithmetic: a NaN among them may be any, and is made the canonical one when
    /// the local is read by something that shows its bits, instead of at every step.
    /// </summary>
    private static bool[] PureLocals(FunctionCode code)
    {
        var pure = new bool[code.Locals.Length];
        for (var i = code.Type.Parameters.Length; i < pure.Length; i++)
        {
            pure[i] = code.Locals[i] is ValueType.F32 or ValueType.F64;
        }
        for (var i = 1; i < code.Ops.Length; i++)
        {
            ref readonly var op = ref code.Ops[i];
            if (op.Code is Opcode.LocalSet or Opcode.LocalTee && pure[op.A])
            {
                ref readonly var source = ref code.Ops[i - 1];
                pure[op.A] = IsArithmetic(source.Code)
                    || (source.Code == Opcode.F64Const && !double.IsNaN(BitConverter.UInt64BitsToDouble(source.Immediate)))
                    || (source.Code == Opcode.F32Const && !float.IsNaN(BitConverter.UInt32BitsToSingle((uint)source.Immediate)));
            }
        }
        return pure;
    }

    /// <summary>Float instructions whose result the compiler makes itself, and which may be a NaN of any bits.</summary>
    private static bool IsArithmetic(Opcode code) => code
        is Opcode.F32Add or Opcode.F32Sub or Opcode.F32Mul or Opcode.F32Div or Opcode.F32Sqrt
        or Opcode.F64Add or Opcode.F64Sub or Opcode.F64Mul or Opcode.F64Div or Opcode.F64Sqrt
        or Opcode.F32DemoteF64 or Opcode.F64PromoteF32;
}
