using System.Collections.Immutable;
using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Binary;

/// <summary>
/// Checks the body of a function in one pass (appendix 7.3: a stack of types and a stack of blocks), and tells a recorder, if
/// there is one, what it found: that is how a body becomes the form that both tiers run. One object checks many bodies.
/// </summary>
internal sealed partial class FunctionValidator(Module module)
{
    private static readonly FunctionType Nothing = new([], []);
    private static readonly Dictionary<ValueType, FunctionType> Single = new[]
    {
        ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64, ValueType.V128, ValueType.FuncRef, ValueType.ExternRef,
    }.ToDictionary(type => type, type => new FunctionType([], [type]));

    // Types of operands; 0 is the unknown type of unreachable code.
    private ValueType[] _operands = new ValueType[256];
    private int _height;
    private int _words;

    private Frame[] _frames = new Frame[64];
    private int _depth;

    private ValueType[] _locals = new ValueType[64];
    private int _localCount;

    private FunctionType _type = Nothing;
    private CodeRecorder? _recorder;

    // Offset of the instruction that is being checked, from the start of the module.
    private int _at;

    private struct Frame
    {
        public Opcode Opener;
        public FunctionType Type;
        public int Height;
        public int Words;
        public bool Unreachable;

        // What the recorder needs: the block's Op, or -1 if the block itself cannot be reached.
        public int OpIndex;
        public bool Branched;
    }

    public void Validate(int function, CodeRecorder? recorder)
    {
        var body = module.Bodies[function - module.ImportedFunctions];
        var reader = new ByteReader(module.Bytes.Span, body.Start, body.End);
        _type = module.FunctionTypeOf(function);
        _recorder = recorder;
        (_height, _words, _depth) = (0, 0, 0);
        ReadLocals(ref reader);
        recorder?.Begin(_locals.AsSpan(0, _localCount), body.Start);
        Push(Opcode.Block, new FunctionType([], _type.Results), -1);
        while (_depth > 0)
        {
            if (reader.AtEnd)
            {
                throw EndMissing(reader.Position);
            }
            Instruction(ref reader);
        }
        if (!reader.AtEnd)
        {
            throw reader.Malformed("section size mismatch", "the body goes on after its end");
        }
    }

    // Whoever reads bodies without regard to their sizes sees these three apart; the suite wants its words.
    private MalformedModuleException EndMissing(int position)
    {
        var bytes = module.Bytes.Span;
        var last = module.Bodies[^1].End == position;
        var reason = !last ? "END opcode expected"
            : position < bytes.Length && bytes[position] == 0x0B ? "section size mismatch"
            : "unexpected end of section or function";
        return new MalformedModuleException(reason, position);
    }

    private void ReadLocals(ref ByteReader reader)
    {
        var limit = module.Limits.Locals;
        var parameters = _type.Parameters;
        var start = reader;
        var total = (ulong)parameters.Length;
        var groups = reader.U32();
        for (var i = groups; i > 0; i--)
        {
            total += reader.U32();
            if (total > uint.MaxValue)
            {
                throw reader.Malformed("too many locals");
            }
            reader.ValueType();
        }
        if (total > (ulong)limit)
        {
            throw new ModuleLimitException($"A function has {total} locals at byte {start.Position}; {limit} are allowed.");
        }
        if (_locals.Length < (int)total)
        {
            Array.Resize(ref _locals, (int)total);
        }
        parameters.CopyTo(_locals);
        _localCount = parameters.Length;
        start.U32();
        for (; groups > 0; groups--)
        {
            var count = (int)start.U32();
            _locals.AsSpan(_localCount, count).Fill(start.ValueType());
            _localCount += count;
        }
    }

    private InvalidModuleException Mismatch(string? detail = null) => new("type mismatch", _at, detail);

    private InvalidModuleException Unknown(string what, long index) => new($"unknown {what} {index}", _at);

    private void PushType(ValueType type)
    {
        if (_height == _operands.Length)
        {
            Grow(ref _operands);
        }
        _operands[_height++] = type;
        _words += type == ValueType.V128 ? 2 : 1;
    }

    private void Grow<T>(ref T[] array)
    {
        if (array.Length >= module.Limits.Nesting)
        {
            throw new ModuleLimitException(
                $"A function has more than {module.Limits.Nesting} operands or nested blocks at byte {_at}.");
        }
        Array.Resize(ref array, Math.Min(array.Length * 2, module.Limits.Nesting));
    }

    /// <summary>Takes an operand of any type: 0 where code is unreachable and nothing is there.</summary>
    private ValueType PopAny()
    {
        ref var frame = ref _frames[_depth - 1];
        if (_height == frame.Height)
        {
            return frame.Unreachable ? default : throw Mismatch("an operand is missing");
        }
        var type = _operands[--_height];
        _words -= type == ValueType.V128 ? 2 : 1;
        return type;
    }

    private void Pop(ValueType expected)
    {
        // The usual case first: a reachable operand of the right type.
        if (_height > _frames[_depth - 1].Height && _operands[_height - 1] == expected)
        {
            _height--;
            _words -= expected == ValueType.V128 ? 2 : 1;
            return;
        }
        var found = PopAny();
        if (found != expected && found != 0)
        {
            throw Mismatch($"{expected.Name()} is expected, {found.Name()} found");
        }
    }

    private void Pop(ImmutableArray<ValueType> types)
    {
        // A thousand types cost about as much as one, so that two bytes of a call cannot cost a thousand steps.
        if (AreOnTop(types))
        {
            _height -= types.Length;
            _words -= Words(types);
            return;
        }
        for (var i = types.Length - 1; i >= 0; i--)
        {
            Pop(types[i]);
        }
    }

    private void PushTypes(ImmutableArray<ValueType> types)
    {
        while (_operands.Length - _height < types.Length)
        {
            Grow(ref _operands);
        }
        types.CopyTo(0, _operands, _height, types.Length);
        _height += types.Length;
        _words += Words(types);
    }

    private bool AreOnTop(ImmutableArray<ValueType> types) =>
        _height - _frames[_depth - 1].Height >= types.Length
        && AsBytes(_operands.AsSpan(_height - types.Length, types.Length)).SequenceEqual(AsBytes(types.AsSpan()));

    private static int Words(ImmutableArray<ValueType> types) => types.Length + AsBytes(types.AsSpan()).Count((byte)ValueType.V128);

    private static ReadOnlySpan<byte> AsBytes(ReadOnlySpan<ValueType> types) => MemoryMarshal.Cast<ValueType, byte>(types);

    private void Push(Opcode opener, FunctionType type, int opIndex)
    {
        if (_depth == _frames.Length)
        {
            Grow(ref _frames);
        }
        _frames[_depth++] = new Frame { Opener = opener, Type = type, Height = _height, Words = _words, OpIndex = opIndex };
        PushTypes(type.Parameters);
    }

    private Frame PopFrame()
    {
        var frame = _frames[_depth - 1];
        Pop(frame.Type.Results);
        if (_height != frame.Height)
        {
            throw Mismatch($"{_height - frame.Height} operands are left at the end of a block");
        }
        _words = frame.Words;
        _depth--;
        return frame;
    }

    private void Unreachable()
    {
        ref var frame = ref _frames[_depth - 1];
        _height = frame.Height;
        _words = frame.Words;
        frame.Unreachable = true;
    }

    private FunctionType BlockType(ref ByteReader reader)
    {
        var first = reader.Peek();
        if (first is >= 0x40 and < 0x80)
        {
            reader.Skip(1);
            return first == 0x40 ? Nothing
                : Single.TryGetValue((ValueType)first, out var single) ? single
                : throw reader.Malformed("malformed block type", $"0x{first:x2}");
        }
        var index = reader.S33();
        return index >= 0 && index < module.Types.Length ? module.Types[index] : throw Unknown("type", index);
    }

    /// <summary>The types that a branch to a label carries, by relative depth.</summary>
    private ref Frame Label(uint label)
    {
        if (label >= (uint)_depth)
        {
            throw Unknown("label", label);
        }
        ref var frame = ref _frames[_depth - 1 - (int)label];
        frame.Branched = true;
        return ref frame;
    }

    private static ImmutableArray<ValueType> Carried(in Frame frame) =>
        frame.Opener == Opcode.Loop ? frame.Type.Parameters : frame.Type.Results;
}
