using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Binary;

/// <summary>
/// Reads bodies for their form alone. Decoding comes before validation in the specification, so a module that is both malformed
/// and invalid is malformed; as validation here is part of the same pass, this looks at the rest once a module was found invalid.
/// </summary>
internal static class SyntaxCheck
{
    public static void Bodies(Module module)
    {
        foreach (var body in module.Bodies)
        {
            var reader = new ByteReader(module.Bytes.Span, body.Start, body.End);
            for (var groups = reader.U32(); groups > 0; groups--)
            {
                reader.U32();
                reader.ValueType();
            }
            for (var depth = 1; depth > 0;)
            {
                depth += Instruction(ref reader, module);
            }
        }
    }

    /// <summary>Skips an instruction; gives by how much it nests deeper.</summary>
    private static int Instruction(ref ByteReader reader, Module module)
    {
        var first = reader.Byte();
        var sub = first is 0xFC or 0xFD ? reader.U32() : 0;
        if (first < 0xFC && !Enum.IsDefined((Opcode)first) || (first == 0xFC && sub > 17) || first > 0xFD
            || (first == 0xFD && (sub > 255 || !Signatures.IsVector((byte)sub))))
        {
            throw reader.Malformed("illegal opcode", $"0x{first:x2} {sub}");
        }
        var code = (Opcode)(first < 0xFC ? first : (first << 8) | (int)sub);
        switch (code)
        {
            case Opcode.Block or Opcode.Loop or Opcode.If:
                reader.S33();
                return 1;
            case Opcode.End:
                return -1;
            case Opcode.BrTable:
                for (var count = reader.Count(int.MaxValue - 1, "labels"); count >= 0; count--)
                {
                    reader.U32();
                }
                return 0;
            case Opcode.Br or Opcode.BrIf or Opcode.Call or Opcode.RefFunc or Opcode.TableGrow or Opcode.TableSize or Opcode.TableFill
                or Opcode.ElemDrop or >= Opcode.LocalGet and <= Opcode.TableSet:
                reader.U32();
                return 0;
            case Opcode.CallIndirect or Opcode.TableInit or Opcode.TableCopy:
                reader.U32();
                reader.U32();
                return 0;
            case Opcode.SelectTyped:
                for (var count = reader.Count(int.MaxValue, "types"); count > 0; count--)
                {
                    reader.ValueType();
                }
                return 0;
            case Opcode.RefNull:
                reader.ReferenceType();
                return 0;
            case Opcode.DataDrop or Opcode.MemoryInit:
                FunctionValidator.NeedDataCount(ref reader, module);
                reader.U32();
                Zeros(ref reader, code == Opcode.MemoryInit ? 1 : 0);
                return 0;
            case Opcode.MemorySize or Opcode.MemoryGrow or Opcode.MemoryFill:
                Zeros(ref reader, 1);
                return 0;
            case Opcode.MemoryCopy:
                Zeros(ref reader, 2);
                return 0;
            default:
                Immediate(ref reader, code);
                return 0;
        }
    }

    private static void Immediate(ref ByteReader reader, Opcode code)
    {
        switch (code)
        {
            case Opcode.I32Const:
                reader.S32();
                break;
            case Opcode.I64Const:
                reader.S64();
                break;
            case Opcode.F32Const:
                reader.Fixed32();
                break;
            case Opcode.F64Const:
                reader.Fixed64();
                break;
            case Opcode.V128Const or Opcode.I8x16Shuffle:
                reader.Fixed64();
                reader.Fixed64();
                break;
            default:
                var signature = Signatures.Of(code);
                if (signature.Shape is OpShape.Load or OpShape.Store or OpShape.LoadLane or OpShape.StoreLane)
                {
                    reader.U32();
                    reader.U32();
                }
                if (signature.Lanes != 0)
                {
                    reader.Byte();
                }
                break;
        }
    }

    private static void Zeros(ref ByteReader reader, int count)
    {
        for (; count > 0; count--)
        {
            if (reader.Byte() != 0)
            {
                throw reader.Malformed("zero byte expected");
            }
        }
    }
}
