using System.Buffers.Binary;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Binary;

// Instructions that name something of the module: functions, locals, globals, tables, segments; and wide constants.
internal sealed partial class FunctionValidator
{
    private void Call(ref ByteReader reader, ref Op op)
    {
        var index = reader.U32();
        FunctionType type;
        if (op.Code == Opcode.Call)
        {
            if (index >= (uint)module.FunctionTypes.Length)
            {
                throw Unknown("function", index);
            }
            type = module.FunctionTypeOf((int)index);
        }
        else
        {
            var table = reader.U32();
            if (table >= (uint)module.Tables.Length)
            {
                throw Unknown("table", table);
            }
            if (module.Tables[table].Type != ValueType.FuncRef)
            {
                throw Mismatch("an indirect call needs a table of funcref");
            }
            type = index < (uint)module.Types.Length ? module.Types[index] : throw Unknown("type", index);
            Pop(ValueType.I32);
            op.B = (int)table;
        }
        op.A = (int)index;
        Pop(type.Parameters);
        PushTypes(type.Results);
    }

    private void Select(ref ByteReader reader, ref Op op)
    {
        if (op.Code == Opcode.SelectTyped)
        {
            if (reader.Count(int.MaxValue, "types") != 1)
            {
                throw new InvalidModuleException("invalid result arity", _at);
            }
            op.Type = reader.ValueType();
            Pop(ValueType.I32);
            Pop(op.Type);
            Pop(op.Type);
        }
        else
        {
            Pop(ValueType.I32);
            var (second, first) = (PopAny(), PopAny());
            if (first.IsReference() || second.IsReference())
            {
                throw Mismatch("a select of references must name its type");
            }
            if (first != second && first != 0 && second != 0)
            {
                throw Mismatch($"select of {first.Name()} and {second.Name()}");
            }
            op.Type = first == 0 ? second : first;
        }
        PushType(op.Type);
    }

    private void Local(ref ByteReader reader, ref Op op)
    {
        var index = reader.U32();
        if (index >= (uint)_localCount)
        {
            throw Unknown("local", index);
        }
        op.A = (int)index;
        op.Type = _locals[index];
        if (op.Code != Opcode.LocalGet)
        {
            Pop(op.Type);
        }
        if (op.Code != Opcode.LocalSet)
        {
            PushType(op.Type);
        }
    }

    private void Global(ref ByteReader reader, ref Op op)
    {
        var index = reader.U32();
        if (index >= (uint)module.GlobalTypes.Length)
        {
            throw Unknown("global", index);
        }
        var type = module.GlobalTypes[index];
        op.A = (int)index;
        op.Type = type.Type;
        if (op.Code == Opcode.GlobalGet)
        {
            PushType(type.Type);
            return;
        }
        if (!type.Mutable)
        {
            throw new InvalidModuleException("global is immutable", _at, $"global {index}");
        }
        Pop(type.Type);
    }

    private void Bytes16(ref ByteReader reader, ref Op op)
    {
        if (op.Code == Opcode.V128Const)
        {
            op.Immediate = reader.Fixed64();
            op.A = _recorder?.HighHalf(reader.Fixed64()) ?? Skip8(ref reader);
        }
        else
        {
            Span<byte> lanes = stackalloc byte[16];
            for (var i = 0; i < lanes.Length; i++)
            {
                lanes[i] = (byte)Lane(ref reader, 32);
            }
            op.Immediate = BinaryPrimitives.ReadUInt64LittleEndian(lanes);
            op.A = _recorder?.HighHalf(BinaryPrimitives.ReadUInt64LittleEndian(lanes[8..])) ?? 0;
            Pop(ValueType.V128);
            Pop(ValueType.V128);
        }
        PushType(ValueType.V128);
    }

    private static int Skip8(ref ByteReader reader)
    {
        reader.Fixed64();
        return 0;
    }

    private bool Bulk(ref ByteReader reader, ref Op op)
    {
        switch (op.Code)
        {
            case Opcode.MemorySize or Opcode.MemoryGrow:
                ZeroByte(ref reader);
                NeedMemory();
                if (op.Code == Opcode.MemoryGrow)
                {
                    Pop(ValueType.I32);
                }
                PushType(ValueType.I32);
                return true;
            case Opcode.MemoryInit:
                NeedMemory();
                op.A = Data(ref reader);
                ZeroByte(ref reader);
                break;
            case Opcode.DataDrop:
                op.A = Data(ref reader);
                return true;
            case Opcode.MemoryCopy:
                ZeroByte(ref reader);
                ZeroByte(ref reader);
                NeedMemory();
                break;
            case Opcode.MemoryFill:
                ZeroByte(ref reader);
                NeedMemory();
                break;
            case Opcode.TableInit:
                op.A = Element(ref reader);
                op.B = Table(ref reader);
                Same(module.Elements[op.A].Type, module.Tables[op.B].Type);
                break;
            case Opcode.ElemDrop:
                op.A = Element(ref reader);
                return true;
            case Opcode.TableCopy:
                op.A = Table(ref reader);
                op.B = Table(ref reader);
                Same(module.Tables[op.A].Type, module.Tables[op.B].Type);
                break;
            default:
                return false;
        }
        Pop(ValueType.I32);
        Pop(ValueType.I32);
        Pop(ValueType.I32);
        return true;
    }

    private bool Reference(ref ByteReader reader, ref Op op)
    {
        switch (op.Code)
        {
            case Opcode.TableGet or Opcode.TableSet or Opcode.TableGrow or Opcode.TableSize or Opcode.TableFill:
                op.A = Table(ref reader);
                op.Type = module.Tables[op.A].Type;
                TableAccess(op);
                return true;
            case Opcode.RefNull:
                op.Type = reader.ReferenceType();
                PushType(op.Type);
                return true;
            case Opcode.RefIsNull:
                op.Type = PopAny();
                if (op.Type != 0 && !op.Type.IsReference())
                {
                    throw Mismatch($"a reference is expected, {op.Type.Name()} found");
                }
                PushType(ValueType.I32);
                return true;
            case Opcode.RefFunc:
                var index = reader.U32();
                if (index >= (uint)module.FunctionTypes.Length)
                {
                    throw Unknown("function", index);
                }
                op.A = module.Referable[index]
                    ? (int)index
                    : throw new InvalidModuleException("undeclared function reference", _at, $"function {index}");
                PushType(ValueType.FuncRef);
                return true;
            default:
                return false;
        }
    }

    private void TableAccess(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.TableGet:
                Pop(ValueType.I32);
                PushType(op.Type);
                break;
            case Opcode.TableSet:
                Pop(op.Type);
                Pop(ValueType.I32);
                break;
            case Opcode.TableGrow:
                Pop(ValueType.I32);
                Pop(op.Type);
                PushType(ValueType.I32);
                break;
            case Opcode.TableSize:
                PushType(ValueType.I32);
                break;
            default:
                Pop(ValueType.I32);
                Pop(op.Type);
                Pop(ValueType.I32);
                break;
        }
    }

    private static void ZeroByte(ref ByteReader reader)
    {
        if (reader.Byte() != 0)
        {
            throw reader.Malformed("zero byte expected");
        }
    }

    private void Same(ValueType one, ValueType other)
    {
        if (one != other)
        {
            throw Mismatch($"{one.Name()} and {other.Name()}");
        }
    }

    private int Table(ref ByteReader reader)
    {
        var index = reader.U32();
        return index < (uint)module.Tables.Length ? (int)index : throw Unknown("table", index);
    }

    private int Element(ref ByteReader reader)
    {
        var index = reader.U32();
        return index < (uint)module.Elements.Length ? (int)index : throw Unknown("elem segment", index);
    }

    private int Data(ref ByteReader reader)
    {
        NeedDataCount(ref reader, module);
        var index = reader.U32();
        return index < (module.DataCount ?? 0) ? (int)index : throw Unknown("data segment", index);
    }

    /// <summary>Segments are announced before code that names them; where there are none at all, the name is what is wrong.</summary>
    public static void NeedDataCount(ref ByteReader reader, Module module)
    {
        if (module.DataCount is null && module.Data.Length > 0)
        {
            throw reader.Malformed("data count section required");
        }
    }
}
