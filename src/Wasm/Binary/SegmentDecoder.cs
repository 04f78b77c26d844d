using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Binary;

// Sections whose entries hold expressions: elements, code and data; and constant expressions themselves.
internal static partial class ModuleDecoder
{
    private static readonly ConstantExpression Zero = new(ValueType.I32, 0, 0, -1, -1, 0);

    private static void ReadElements(Module module, ref ByteReader section)
    {
        module.Elements = new ElementSegment[section.Count(module.Limits.Segments, "element segments")];
        for (var i = 0; i < module.Elements.Length; i++)
        {
            module.Elements[i] = ReadElement(ref section);
        }
    }

    // Bit 0: passive or declarative. Bit 1: explicit table, or declarative. Bit 2: expressions (section 5.5.12).
    private static ElementSegment ReadElement(ref ByteReader section)
    {
        var at = section.Position;
        var flags = section.U32();
        if (flags > 7)
        {
            throw section.Malformed("malformed elements segment kind", $"{flags}");
        }
        var mode = (flags & 1) == 0 ? SegmentMode.Active : (flags & 2) == 0 ? SegmentMode.Passive : SegmentMode.Declarative;
        var table = mode == SegmentMode.Active && (flags & 2) != 0 ? Index(section.U32()) : 0;
        var start = mode == SegmentMode.Active ? ReadConstant(ref section) : Zero;
        var expressions = (flags & 4) != 0;
        var type = ValueType.FuncRef;
        if ((flags & 3) != 0)
        {
            if (expressions)
            {
                type = section.ReferenceType();
            }
            else if (section.Byte() != 0)
            {
                throw section.Malformed("malformed element kind");
            }
        }
        var entries = new ConstantExpression[section.Count(int.MaxValue, "elements")];
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = expressions
                ? ReadConstant(ref section)
                : new ConstantExpression(ValueType.FuncRef, 0, 0, Index(section.U32()), -1, section.Position);
        }
        return new ElementSegment(mode, type, table, start, entries, at);
    }

    private static int ReadBodies(Module module, ref ByteReader section)
    {
        module.Bodies = new BodyRange[section.Count(module.Limits.Functions, "function bodies")];
        for (var i = 0; i < module.Bodies.Length; i++)
        {
            var size = section.U32();
            if (size > (uint)(section.End - section.Position))
            {
                throw section.Malformed("length out of bounds", $"function body {i} announces {size} bytes");
            }
            if (size > (uint)module.Limits.BodyBytes)
            {
                throw new ModuleLimitException(
                    $"The body of function {i} has {size} bytes at byte {section.Position}; {module.Limits.BodyBytes} are allowed.");
            }
            module.Bodies[i] = new BodyRange(section.Position, section.Position + (int)size);
            section.Skip((int)size);
        }
        return module.Bodies.Length;
    }

    private static void ReadData(Module module, ref ByteReader section)
    {
        module.Data = new DataSegment[section.Count(module.Limits.Segments, "data segments")];
        for (var i = 0; i < module.Data.Length; i++)
        {
            var at = section.Position;
            var flags = section.U32();
            if (flags > 2)
            {
                throw section.Malformed("malformed data segment kind", $"{flags}");
            }
            var memory = flags == 2 ? Index(section.U32()) : 0;
            var start = flags == 1 ? Zero : ReadConstant(ref section);
            var length = section.U32();
            if (length > (uint)(section.End - section.Position))
            {
                throw section.Malformed("unexpected end of section or function", $"data segment {i} announces {length} bytes");
            }
            module.Data[i] = new DataSegment(
                flags == 1 ? SegmentMode.Passive : SegmentMode.Active, memory, start, section.Position, (int)length, at);
            section.Skip((int)length);
        }
    }

    /// <summary>
    /// Reads up to the end instruction. What is no constant instruction is remembered as such (type 0) for the validator: it is
    /// invalid, not malformed.
    /// </summary>
    private static ConstantExpression ReadConstant(ref ByteReader section)
    {
        var at = section.Position;
        var found = default(ConstantExpression);
        var count = 0;
        while (true)
        {
            var opcode = section.Byte();
            if (opcode == 0x0B)
            {
                // More or less than one instruction leaves more or less than one value.
                return count == 1 ? found : new ConstantExpression(0, 0, 0, -1, -1, at);
            }
            count = Math.Min(count + 1, 2);
            found = opcode switch
            {
                0x41 => new ConstantExpression(ValueType.I32, (uint)section.S32(), 0, -1, -1, at),
                0x42 => new ConstantExpression(ValueType.I64, (ulong)section.S64(), 0, -1, -1, at),
                0x43 => new ConstantExpression(ValueType.F32, section.Fixed32(), 0, -1, -1, at),
                0x44 => new ConstantExpression(ValueType.F64, section.Fixed64(), 0, -1, -1, at),
                0x23 => new ConstantExpression(0, 0, 0, -1, Index(section.U32()), at),
                0xD0 => new ConstantExpression(section.ReferenceType(), 0, 0, -1, -1, at),
                0xD2 => new ConstantExpression(ValueType.FuncRef, 0, 0, Index(section.U32()), -1, at),
                0xFD => Vector(ref section, at),
                _ => Other(ref section, opcode, at),
            };
        }
    }

    private static ConstantExpression Vector(ref ByteReader section, int at)
    {
        var opcode = section.U32();
        if (opcode != (uint)Opcode.V128Const - 0xFD00)
        {
            throw new InvalidModuleException("constant expression required", at);
        }
        var low = section.Fixed64();
        return new ConstantExpression(ValueType.V128, low, section.Fixed64(), -1, -1, at);
    }

    private static ConstantExpression Other(ref ByteReader section, byte opcode, int at) =>
        Enum.IsDefined((Opcode)opcode) || opcode == 0xFC
            ? throw new InvalidModuleException("constant expression required", at, $"opcode 0x{opcode:x2}")
            : throw section.Malformed("illegal opcode", $"0x{opcode:x2}");
}
