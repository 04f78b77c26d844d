using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Tests.Generated;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Differential;

/// <summary>
/// A valid module from a seed, with everything in it that a module can have: imported functions and globals, three tables,
/// a memory, globals of all types, segments of all modes, functions with any parameters and results, all exported. Bodies are a
/// walk over the stack of types (<see cref="RandomBody"/>), so operands stay below calls, loops and branches.
/// </summary>
internal sealed class RandomModule
{
    public static readonly ValueType[] AllTypes = [I32, I64, F32, F64, V128, FuncRef, ExternRef];

    /// <summary>The functions that the host gives; their results are a mixture of their arguments.</summary>
    public static readonly FunctionType[] HostTypes =
    [
        new([], [I64]), new([I32, F32], [F32]), new([V128, ExternRef, I64], [ExternRef, V128, I32]), new([F64], []), new([FuncRef], [FuncRef, F64]),
    ];

    /// <summary>The first calls the guest's function "leaf".</summary>
    public const int CallsBack = 0;

    public const int FunctionTable = 0, ExternTable = 1, OtherTable = 2;
    public const int TableEntries = 16;
    public const int DataBytes = 40;

    private readonly List<FunctionType> _types = [];
    private readonly List<int> _functions = [];
    private readonly List<(ValueType Type, bool Mutable)> _globals = [];

    private RandomModule(int seed) => Random = new Random(seed);

    public Random Random { get; }

    public IReadOnlyList<(ValueType Type, bool Mutable)> Globals => _globals;

    /// <summary>Of imported functions, then its own.</summary>
    public int FunctionCount => HostTypes.Length + _functions.Count;

    public static byte[] Make(int seed) => new RandomModule(seed).Write();

    public FunctionType TypeOf(int function) => function < HostTypes.Length ? HostTypes[function] : _types[_functions[function - HostTypes.Length]];

    /// <summary>The function that is in a table's entry at the start.</summary>
    public int InTable(int entry) => (entry * 7) % FunctionCount;

    public int TypeIndex(FunctionType type)
    {
        var index = _types.IndexOf(type);
        if (index < 0)
        {
            index = _types.Count;
            _types.Add(type);
        }
        return index;
    }

    public ValueType[] SomeTypes(int most) => [.. Enumerable.Range(0, Random.Next(most + 1)).Select(_ => SomeType())];

    // Numbers are what most of the instructions are about.
    public ValueType SomeType() => Random.Next(8) == 0 ? AllTypes[Random.Next(7)] : AllTypes[Random.Next(5)];

    public T Pick<T>(IReadOnlyList<T> from) => from[Random.Next(from.Count)];

    private byte[] Write()
    {
        foreach (var type in HostTypes)
        {
            TypeIndex(type);
        }
        _functions.Add(TypeIndex(new FunctionType([], [I64])));
        for (var i = Random.Next(2, 7); i > 0; i--)
        {
            _functions.Add(TypeIndex(new FunctionType([.. SomeTypes(4)], [.. SomeTypes(3)])));
        }
        _globals.Add((I32, false));
        _globals.Add((V128, false));
        foreach (var type in AllTypes)
        {
            _globals.Add((type, true));
        }
        for (var i = Random.Next(3); i > 0; i--)
        {
            _globals.Add((SomeType(), Random.Next(3) > 0));
        }
        var bodies = Enumerable.Range(0, _functions.Count)
            .Select(i => new RandomBody(this, HostTypes.Length + i, calls: i > 0).Write()).ToArray();

        var module = new CodeWriter().Bytes([0, 0x61, 0x73, 0x6D, 1, 0, 0, 0]);
        Section(module, 1, _types.Count, (to, i) => Types(Types(to.Byte(0x60), _types[i].Parameters), _types[i].Results));
        Section(module, 2, HostTypes.Length + 2, Import);
        Section(module, 3, _functions.Count, (to, i) => to.Unsigned(_functions[i]));
        Section(module, 4, 3, (to, i) => to.Byte((byte)(i == ExternTable ? ExternRef : FuncRef)).Byte(1).Unsigned(TableEntries).Unsigned(TableEntries + 9));
        Section(module, 5, 1, (to, _) => to.Byte(1).Unsigned(1).Unsigned(3));
        Section(module, 6, _globals.Count - 2, (to, i) => Global(to, _globals[i + 2]));
        Section(module, 7, _functions.Count, (to, i) => Name(to, i == 0 ? "leaf" : $"f{i}").Byte(0).Unsigned(HostTypes.Length + i));
        Section(module, 9, 5, Elements);
        module.Byte(12).Byte(1).Byte(3);
        Section(module, 10, bodies.Length, (to, i) => to.Unsigned(bodies[i].Length).Bytes(bodies[i]));
        Section(module, 11, 3, Data);
        return module.ToArray();
    }

    private static CodeWriter Types(CodeWriter to, IReadOnlyCollection<ValueType> types)
    {
        to.Unsigned(types.Count);
        foreach (var type in types)
        {
            to.Byte((byte)type);
        }
        return to;
    }

    private static void Import(CodeWriter to, int index)
    {
        if (index < HostTypes.Length)
        {
            Name(Name(to, "host"), $"h{index}").Byte(0).Unsigned(index);
        }
        else
        {
            Name(Name(to, "host"), $"g{index - HostTypes.Length}").Byte(3).Byte((byte)(index == HostTypes.Length ? I32 : V128)).Byte(0);
        }
    }

    private static void Global(CodeWriter to, (ValueType Type, bool Mutable) global) =>
        ModuleWriter.Zero(to.Byte((byte)global.Type).Byte(global.Mutable ? (byte)1 : (byte)0), global.Type).End();

    // Active in two tables, passive of functions, passive of extern references, declared.
    private void Elements(CodeWriter to, int index)
    {
        switch (index)
        {
            case 0 or 1:
                to.Byte(2).Unsigned(index == 0 ? FunctionTable : OtherTable).I32(index).End().Byte(0).Unsigned(TableEntries - 3);
                for (var i = 0; i < TableEntries - 3; i++)
                {
                    to.Unsigned(InTable(i + index));
                }
                break;
            case 2:
                to.Byte(5).Byte((byte)FuncRef).Unsigned(4).Op(Opcode.RefFunc, InTable(3)).End().Op(Opcode.RefNull).Byte((byte)FuncRef).End()
                    .Op(Opcode.RefFunc, InTable(5)).End().Op(Opcode.RefFunc, InTable(1)).End();
                break;
            case 3:
                to.Byte(5).Byte((byte)ExternRef).Unsigned(2)
                    .Op(Opcode.RefNull).Byte((byte)ExternRef).End().Op(Opcode.RefNull).Byte((byte)ExternRef).End();
                break;
            default:
                to.Byte(3).Byte(0).Unsigned(FunctionCount);
                for (var i = 0; i < FunctionCount; i++)
                {
                    to.Unsigned(i);
                }
                break;
        }
    }

    private void Data(CodeWriter to, int index)
    {
        var bytes = new byte[DataBytes];
        Random.NextBytes(bytes);
        _ = index == 0 ? to.Byte(0).I32(Random.Next(65_536 - DataBytes)).End() : to.Byte(1);
        to.Unsigned(DataBytes).Bytes(bytes);
    }

    private static CodeWriter Name(CodeWriter to, string name) => to.Unsigned(name.Length).Bytes(System.Text.Encoding.ASCII.GetBytes(name));

    private static void Section(CodeWriter module, byte id, int count, Action<CodeWriter, int> write)
    {
        var content = new CodeWriter().Unsigned(count);
        for (var i = 0; i < count; i++)
        {
            write(content, i);
        }
        var bytes = content.ToArray();
        module.Byte(id).Unsigned(bytes.Length).Bytes(bytes);
    }
}
