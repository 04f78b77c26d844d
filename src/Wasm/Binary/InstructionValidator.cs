using System.Collections.Immutable;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Binary;

// One instruction: decoded, checked (section 3.3) and recorded.
internal sealed partial class FunctionValidator
{
    private void Instruction(ref ByteReader reader)
    {
        _at = reader.Position;
        var first = reader.Byte();
        var code = first < 0xFC ? (Opcode)first : Prefixed(ref reader, first);
        var signature = Signatures.Of(code);
        // Where the recorder is, the operands' height and whether the instruction can be reached are those before it.
        var recorder = _depth > 0 && IsReached(_frames[_depth - 1]) ? _recorder : null;
        var op = new Op { Code = code, Offset = _at, Height = _words, A = 0, B = 0 };
        switch (signature.Shape)
        {
            case OpShape.Special:
                Special(ref reader, ref op, recorder);
                return;
            case OpShape.Load or OpShape.Store or OpShape.LoadLane or OpShape.StoreLane:
                MemoryArgument(ref reader, ref op, signature);
                break;
            case OpShape.Lane:
                op.A = Lane(ref reader, signature.Lanes);
                break;
            default:
                break;
        }
        if (signature.Third != 0)
        {
            Pop(signature.Third);
        }
        if (signature.Second != 0)
        {
            Pop(signature.Second);
        }
        Pop(signature.First);
        if (signature.Result != 0)
        {
            PushType(signature.Result);
        }
        recorder?.Add(op);
    }

    // A block that stands where nothing comes was not recorded, and nothing comes to what is in it.
    private bool IsReached(in Frame frame) => !frame.Unreachable && (frame.OpIndex >= 0 || _depth == 1);

    private static Opcode Prefixed(ref ByteReader reader, byte first)
    {
        var sub = first is 0xFC or 0xFD ? reader.U32() : 0;
        var known = first == 0xFC ? sub <= 17 : first == 0xFD && sub < 256 && Signatures.IsVector((byte)sub);
        return known ? (Opcode)((first << 8) | (int)sub) : throw reader.Malformed("illegal opcode", $"0x{first:x2} {sub}");
    }

    private void MemoryArgument(ref ByteReader reader, ref Op op, OpSignature signature)
    {
        var align = reader.U32();
        op.Immediate = reader.U32();
        if (signature.Lanes != 0)
        {
            op.A = Lane(ref reader, signature.Lanes);
        }
        NeedMemory();
        if (align >= 32 || 1UL << (int)align > signature.Bytes)
        {
            throw new InvalidModuleException("alignment must not be larger than natural", _at);
        }
    }

    private void NeedMemory()
    {
        if (module.Memories.Length == 0)
        {
            throw Unknown("memory", 0);
        }
    }

    private int Lane(ref ByteReader reader, byte lanes)
    {
        var lane = reader.Byte();
        return lane < lanes ? lane : throw new InvalidModuleException("invalid lane index", _at, $"{lane} of {lanes}");
    }

    private void Special(ref ByteReader reader, ref Op op, CodeRecorder? recorder)
    {
        switch (op.Code)
        {
            case Opcode.Unreachable:
                recorder?.Add(op);
                Unreachable();
                return;
            case Opcode.Nop:
                return;
            case Opcode.Block or Opcode.Loop or Opcode.If:
                Open(ref reader, op, recorder);
                return;
            case Opcode.Else or Opcode.End:
                Close(ref reader, op);
                return;
            case Opcode.Br or Opcode.BrIf or Opcode.BrTable or Opcode.Return:
                Branch(ref reader, ref op, recorder);
                return;
            case Opcode.Call or Opcode.CallIndirect:
                Call(ref reader, ref op);
                break;
            case Opcode.Drop:
                op.Type = PopAny();
                break;
            case Opcode.Select or Opcode.SelectTyped:
                Select(ref reader, ref op);
                break;
            case Opcode.LocalGet or Opcode.LocalSet or Opcode.LocalTee:
                Local(ref reader, ref op);
                break;
            case Opcode.GlobalGet or Opcode.GlobalSet:
                Global(ref reader, ref op);
                break;
            case Opcode.I32Const:
                op.Immediate = (uint)reader.S32();
                PushType(ValueType.I32);
                break;
            case Opcode.I64Const:
                op.Immediate = (ulong)reader.S64();
                PushType(ValueType.I64);
                break;
            case Opcode.F32Const:
                op.Immediate = reader.Fixed32();
                PushType(ValueType.F32);
                break;
            case Opcode.F64Const:
                op.Immediate = reader.Fixed64();
                PushType(ValueType.F64);
                break;
            case Opcode.V128Const or Opcode.I8x16Shuffle:
                Bytes16(ref reader, ref op);
                break;
            default:
                if (!Bulk(ref reader, ref op) && !Reference(ref reader, ref op))
                {
                    throw new MalformedModuleException("illegal opcode", _at, $"0x{(int)op.Code:x2}");
                }
                break;
        }
        recorder?.Add(op);
    }

    private void Open(ref ByteReader reader, Op op, CodeRecorder? recorder)
    {
        var type = BlockType(ref reader);
        if (op.Code == Opcode.If)
        {
            Pop(ValueType.I32);
        }
        Pop(type.Parameters);
        Push(op.Code, type, recorder?.Open(op, type) ?? -1);
    }

    private void Close(ref ByteReader reader, Op op)
    {
        if (op.Code == Opcode.Else && _frames[_depth - 1].Opener != Opcode.If)
        {
            // In the grammar an else belongs to an if, so elsewhere the end of the block is what is missing.
            throw new MalformedModuleException("END opcode expected", _at);
        }
        var reachable = !_frames[_depth - 1].Unreachable;
        var frame = PopFrame();
        if (op.Code == Opcode.Else)
        {
            if (frame.OpIndex >= 0)
            {
                op.Height = frame.Words + frame.Type.ParameterWords;
                _recorder!.Else(op, frame.OpIndex, reachable);
            }
            Push(Opcode.Else, frame.Type, frame.OpIndex);
            _frames[_depth - 1].Branched = true;
            return;
        }
        if (frame.Opener == Opcode.If && !frame.Type.Parameters.AsSpan().SequenceEqual(frame.Type.Results.AsSpan()))
        {
            throw Mismatch("an if without else must give what it takes");
        }
        PushTypes(frame.Type.Results);
        if (frame.OpIndex >= 0 || _depth == 0)
        {
            op.Height = _words;
            var joins = frame.Branched || frame.Opener is Opcode.If or Opcode.Else;
            _recorder?.End(op, frame.OpIndex, reachable, joins && _depth > 0 && frame.Opener != Opcode.Loop);
        }
    }

    private void Branch(ref ByteReader reader, ref Op op, CodeRecorder? recorder)
    {
        switch (op.Code)
        {
            case Opcode.Br or Opcode.BrIf:
                if (op.Code == Opcode.BrIf)
                {
                    var label = reader.U32();
                    op.A = (int)label;
                    var carried = Carried(Label(label));
                    Pop(ValueType.I32);
                    Pop(carried);
                    PushTypes(carried);
                    recorder?.AddAndSplit(op);
                    return;
                }
                op.A = (int)reader.U32();
                Pop(Carried(Label((uint)op.A)));
                break;
            case Opcode.BrTable:
                var labels = BranchTable(ref reader);
                op.A = recorder?.BranchTable(labels) ?? 0;
                break;
            default:
                Pop(_type.Results);
                break;
        }
        recorder?.Add(op);
        Unreachable();
    }

    private int[] BranchTable(ref ByteReader reader)
    {
        var labels = new int[reader.Count(int.MaxValue - 1, "labels") + 1];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = (int)Math.Min(reader.U32(), int.MaxValue);
        }
        Pop(ValueType.I32);
        var arity = Carried(Label((uint)labels[^1])).Length;
        Span<ValueType> popped = stackalloc ValueType[arity];
        var last = default(ImmutableArray<ValueType>);
        foreach (var label in labels)
        {
            var carried = Carried(Label((uint)label));
            if (carried == last || AreOnTop(carried) && carried.Length == arity)
            {
                continue;
            }
            if (carried.Length != arity)
            {
                throw Mismatch("the labels of a table carry different numbers of operands");
            }
            // Each label is checked against the same operands, which stay what they are (unknown ones too).
            for (var i = arity - 1; i >= 0; i--)
            {
                popped[i] = PopAny();
                if (popped[i] != carried[i] && popped[i] != 0)
                {
                    throw Mismatch($"{carried[i].Name()} is expected, {popped[i].Name()} found");
                }
            }
            foreach (var type in popped)
            {
                PushType(type);
            }
            last = carried;
        }
        return labels;
    }
}
