namespace MeshLedger.Wasm.Tests.Engine;

/// <summary>Writes small modules by hand: one type, import, function, memory or export a call, code as bytes.</summary>
internal sealed class TestModule
{
    public const byte I32 = 0x7F, I64 = 0x7E;

    private readonly List<byte[]> _types = [];
    private readonly List<byte[]> _imports = [];
    private readonly List<byte> _functions = [];
    private readonly List<byte[]> _exports = [];
    private readonly List<byte[]> _bodies = [];
    private readonly List<(int Index, string Name)> _names = [];
    private byte[]? _memory;
    private byte[]? _table;

    public TestModule Import(string module, string name, byte[] parameters, byte[] results)
    {
        _imports.Add([.. Text(module), .. Text(name), 0, Type(parameters, results)]);
        return this;
    }

    /// <summary>A function that is exported by its name. Code is without the end.</summary>
    public TestModule Function(string name, byte[] parameters, byte[] results, byte[] locals, params byte[] code)
    {
        var index = _imports.Count + _functions.Count;
        _functions.Add(Type(parameters, results));
        _exports.Add([.. Text(name), 0, .. Number(index)]);
        _names.Add((index, name));
        byte[] declared = [.. Number(locals.Length), .. locals.SelectMany(type => new byte[] { 1, type })];
        byte[] body = [.. declared, .. code, 0x0B];
        _bodies.Add([.. Number(body.Length), .. body]);
        return this;
    }

    public TestModule Memory(int minimum, int? maximum = null)
    {
        _memory = maximum is { } most ? [1, .. Number(minimum), .. Number(most)] : [0, .. Number(minimum)];
        _exports.Add([.. Text("memory"), 2, 0]);
        return this;
    }

    public TestModule Table(int minimum)
    {
        _table = [0x70, 0, .. Number(minimum)];
        return this;
    }

    public byte[] Bytes()
    {
        var bytes = new List<byte> { 0, 0x61, 0x73, 0x6D, 1, 0, 0, 0 };
        Section(bytes, 1, _types);
        Section(bytes, 2, _imports);
        Section(bytes, 3, [.. _functions.Select(type => new[] { type })]);
        Section(bytes, 4, _table is null ? [] : [_table]);
        Section(bytes, 5, _memory is null ? [] : [_memory]);
        Section(bytes, 7, _exports);
        Section(bytes, 10, _bodies);
        byte[] map = [.. Number(_names.Count), .. _names.SelectMany(entry => (byte[])[.. Number(entry.Index), .. Text("$" + entry.Name)])];
        byte[] names = [.. Text("name"), 1, .. Number(map.Length), .. map];
        bytes.AddRange([0, .. Number(names.Length), .. names]);
        return [.. bytes];
    }

    public Module Module() => Wasm.Module.Decode(Bytes());

    public static byte[] Number(long value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)((value % 128) + (value > 127 ? 128 : 0)));
            value >>= 7;
        }
        while (value > 0);
        return [.. bytes];
    }

    private static byte[] Text(string text) => [.. Number(text.Length), .. System.Text.Encoding.UTF8.GetBytes(text)];

    private static void Section(List<byte> bytes, byte id, List<byte[]> entries)
    {
        if (entries.Count > 0)
        {
            byte[] content = [.. Number(entries.Count), .. entries.SelectMany(entry => entry)];
            bytes.AddRange([id, .. Number(content.Length), .. content]);
        }
    }

    private byte Type(byte[] parameters, byte[] results)
    {
        byte[] type = [0x60, .. Number(parameters.Length), .. parameters, .. Number(results.Length), .. results];
        var index = _types.FindIndex(known => known.AsSpan().SequenceEqual(type));
        if (index < 0)
        {
            index = _types.Count;
            _types.Add(type);
        }
        return (byte)index;
    }
}
