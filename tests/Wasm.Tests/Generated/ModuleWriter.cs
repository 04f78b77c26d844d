using System.Text;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Tests.Generated;

/// <summary>Writes modules in the binary format: one memory, one table that holds every function, globals, functions.</summary>
internal sealed class ModuleWriter
{
    private readonly List<(ValueType[] Parameters, ValueType[] Results)> _types = [];
    private readonly List<(int Type, ValueType[] Locals, CodeWriter Code, string? Export)> _functions = [];
    private readonly List<ValueType> _globals = [];

    public int MemoryPages { get; init; } = 1;

    public int MostPages { get; init; } = 4;

    public int Type(ValueType[] parameters, ValueType[] results)
    {
        var found = _types.FindIndex(type => type.Parameters.SequenceEqual(parameters) && type.Results.SequenceEqual(results));
        if (found < 0)
        {
            _types.Add((parameters, results));
            return _types.Count - 1;
        }
        return found;
    }

    public int Function(int type, ValueType[] locals, CodeWriter code, string? export = null)
    {
        _functions.Add((type, locals, code, export));
        return _functions.Count - 1;
    }

    /// <summary>A mutable global that begins as zero.</summary>
    public int Global(ValueType type)
    {
        _globals.Add(type);
        return _globals.Count - 1;
    }

    public byte[] ToArray()
    {
        var module = new CodeWriter().Bytes([0, 0x61, 0x73, 0x6D, 1, 0, 0, 0]);
        Section(module, 1, _types, (to, type) =>
        {
            to.Byte(0x60).Unsigned(type.Parameters.Length);
            Array.ForEach(type.Parameters, t => to.Byte((byte)t));
            to.Unsigned(type.Results.Length);
            Array.ForEach(type.Results, t => to.Byte((byte)t));
        });
        Section(module, 3, _functions, (to, function) => to.Unsigned(function.Type));
        Section(module, 4, [_functions.Count], (to, count) => to.Byte((byte)ValueType.FuncRef).Byte(0).Unsigned(count));
        Section(module, 5, [MemoryPages], (to, pages) => to.Byte(1).Unsigned(pages).Unsigned(MostPages));
        Section(module, 6, _globals, (to, type) => Zero(to.Byte((byte)type).Byte(1), type).Op(Opcode.End));
        Section(module, 7, [.. _functions.Index().Where(f => f.Item.Export is not null)], (to, function) =>
        {
            var name = Encoding.UTF8.GetBytes(function.Item.Export!);
            to.Unsigned(name.Length).Bytes(name).Byte(0).Unsigned(function.Index);
        });
        Section(module, 9, [0], (to, table) =>
        {
            to.Unsigned(table).I32(0).Op(Opcode.End).Unsigned(_functions.Count);
            for (var i = 0; i < _functions.Count; i++)
            {
                to.Unsigned(i);
            }
        });
        Section(module, 10, _functions, (to, function) =>
        {
            var body = new CodeWriter().Unsigned(function.Locals.Length);
            Array.ForEach(function.Locals, local => body.Unsigned(1).Byte((byte)local));
            var bytes = body.Bytes(function.Code.ToArray()).Op(Opcode.End).ToArray();
            to.Unsigned(bytes.Length).Bytes(bytes);
        });
        return module.ToArray();
    }

    public static CodeWriter Zero(CodeWriter to, ValueType type) => type switch
    {
        ValueType.I32 => to.I32(0),
        ValueType.I64 => to.I64(0),
        ValueType.F32 => to.F32(0),
        ValueType.F64 => to.F64(0),
        ValueType.V128 => to.V128(0, 0),
        _ => to.Op(Opcode.RefNull).Byte((byte)type),
    };

    private static void Section<T>(CodeWriter module, byte id, IReadOnlyCollection<T> items, Action<CodeWriter, T> write)
    {
        var content = new CodeWriter().Unsigned(items.Count);
        foreach (var item in items)
        {
            write(content, item);
        }
        var bytes = content.ToArray();
        module.Byte(id).Unsigned(bytes.Length).Bytes(bytes);
    }
}

/// <summary>Writes instructions and numbers of the binary format.</summary>
internal sealed class CodeWriter
{
    private readonly List<byte> _bytes = [];

    public int Length => _bytes.Count;

    public byte[] ToArray() => [.. _bytes];

    public CodeWriter Byte(byte value)
    {
        _bytes.Add(value);
        return this;
    }

    public CodeWriter Bytes(ReadOnlySpan<byte> values)
    {
        _bytes.AddRange(values);
        return this;
    }

    public CodeWriter Unsigned(long value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            _bytes.Add((byte)(value | 0x80));
        }
        return Byte((byte)value);
    }

    public CodeWriter Signed(long value)
    {
        for (; value is < -64 or > 63; value >>= 7)
        {
            _bytes.Add((byte)(value | 0x80));
        }
        return Byte((byte)(value & 0x7F));
    }

    /// <summary>An instruction, and indices after it.</summary>
    public CodeWriter Op(Opcode code, params ReadOnlySpan<int> indices)
    {
        if ((int)code < 0x100)
        {
            Byte((byte)code);
        }
        else
        {
            Byte((byte)((int)code >> 8)).Unsigned((byte)code);
        }
        foreach (var index in indices)
        {
            Unsigned(index);
        }
        return this;
    }

    public CodeWriter I32(int value) => Op(Opcode.I32Const).Signed(value);

    public CodeWriter I64(long value) => Op(Opcode.I64Const).Signed(value);

    public CodeWriter F32(uint bits) => Op(Opcode.F32Const).Bytes(BitConverter.GetBytes(bits));

    public CodeWriter F64(ulong bits) => Op(Opcode.F64Const).Bytes(BitConverter.GetBytes(bits));

    public CodeWriter V128(ulong low, ulong high) =>
        Op(Opcode.V128Const).Bytes(BitConverter.GetBytes(low)).Bytes(BitConverter.GetBytes(high));

    /// <summary>Block, loop or if with one result or none.</summary>
    public CodeWriter Open(Opcode code, ValueType result = 0) => Op(code).Byte(result == 0 ? (byte)0x40 : (byte)result);

    public CodeWriter Open(Opcode code, int type) => Op(code).Signed(type);

    public CodeWriter End() => Op(Opcode.End);
}
