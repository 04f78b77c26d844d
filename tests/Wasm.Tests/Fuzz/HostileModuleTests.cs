using System.Diagnostics;
using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Tests.Generated;

namespace MeshLedger.Wasm.Tests.Fuzz;

/// <summary>
/// Modules that are made to cost more than their size: what decoding, validating and running them allocates grows with their
/// bytes, at most, and it ends.
/// </summary>
public sealed class HostileModuleTests
{
    private static readonly Dictionary<string, Func<int, byte[]>> Kinds = new()
    {
        ["nested blocks"] = n => Function(body => Repeat(n, () => body.Open(Opcode.Block), () => body.End())),
        ["nested ifs"] = n => Function(body => Repeat(n, () => body.I32(1).Open(Opcode.If), () => body.End())),
        ["nested loops"] = n => Function(body => Repeat(n, () => body.Open(Opcode.Loop), () => body.End())),
        ["blocks in a row"] = n => Function(body => Repeat(n, () => body.Open(Opcode.Block).End())),
        ["many labels"] = n => Function(body => Labels(body, n)),
        ["many tables of labels"] = n => Function(body => Repeat(n / 50, () => Labels(body.Open(Opcode.Block), 100).End())),
        ["labels of many values"] = n => Function(body => WideLabels(body, n), results: 1_000),
        ["deep operands"] = n => Function(body => Repeat(Math.Min(n, 40_000), () => body.I32(1), () => body.Op(Opcode.Drop))),
        ["locals and calls"] = n => Function(body => Repeat(n, () => body.Op(Opcode.Call, 0)), locals: 4_000),
        ["locals that live and calls"] = n => Function(
            body => Repeat(n, () => body.Op(Opcode.Call, 1), () => body.Op(Opcode.LocalGet, body.Length % 2_000).Op(Opcode.Drop)), locals: 2_000),
        ["branches with many values"] = n => Function(body => WideBranches(body, n), results: 1_000),
        ["many tables of many values"] = n => Function(body => WideTables(body, n), results: 500),
        ["locals and loops"] = n => Function(
            body => Repeat(n, () => body.Open(Opcode.Loop).Op(Opcode.LocalGet, 7).Op(Opcode.Drop), () => body.End()), locals: 4_000),
        ["functions with locals"] = n => Functions(n, [1, 0xD0, 0x86, 3, 0x7E, 0x0B]),
        ["functions"] = n => Functions(n, [0, 0x0B]),
        ["types"] = n => Sections((1, n, to => to.Byte(0x60).Byte(1).Byte(0x7F).Byte(0))),
        ["exports"] = n => Sections((1, 1, to => to.Byte(0x60).Byte(0).Byte(0)), (5, 1, to => to.Byte(0).Byte(0)), (7, n, Export)),
        ["a long name"] = n => Sections((1, 1, to => to.Byte(0x60).Byte(0).Byte(0)), (2, 1, to => Name(Name(to, n), n).Byte(0).Byte(0))),
        ["constants"] = n => Sections((6, n, to => to.Byte(0x7F).Byte(0).I32(7).End())),
        ["custom sections"] = n => [.. Sections(), .. Enumerable.Range(0, n).SelectMany(_ => (byte[])[0, 2, 1, 0x61])],
        ["code that is not reached"] = n => Function(
            body => Repeat(n, () => body.Op(Opcode.Unreachable).Open(Opcode.Block).Op(Opcode.Br, 0).End())),
        ["calls with many arguments"] = n => Function(body => WideCalls(body, n / 4), results: 0, second: 1_000),
    };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_decoding_allocates_is_linear_in_the_bytes(string kind)
    {
        Decode(Kinds[kind](100));
        var (small, large) = (Kinds[kind](10_000), Kinds[kind](40_000));
        var (few, many) = (Decode(small), Decode(large));
        Assert.True(many < 400_000 + (large.Length * 100L), $"{kind}: {many} bytes for {large.Length}, {few} for {small.Length}.");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void It_runs_within_bounds_in_every_tier(string kind)
    {
        var bytes = Kinds[kind](10_000);
        if (Trial.Decode(bytes, out var module) is not null)
        {
            return;
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        var expected = Trial.Run(module!, Tier.Interpreter, Stopwatch.StartNew());
        var interpreted = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(expected, Trial.Run(module!, Tier.Compiled, Stopwatch.StartNew()));
        var compiled = GC.GetAllocatedBytesForCurrentThread() - before - interpreted;
        Assert.True(Math.Max(compiled, interpreted) < 200L << 20, $"{kind}: {interpreted} bytes allocated, {compiled} when compiled.");
    }

    [Theory]
    [InlineData(Tier.Compiled)]
    [InlineData(Tier.Interpreter)]
    public void Many_tables_share_one_limit_and_what_is_refused_leaves_nothing(Tier tier)
    {
        var many = Module.Decode(Sections((4, 1_000, to => to.Byte(0x70).Byte(0).Unsigned(10_000_000))));
        using var store = new Store(new RunLimits(), tier);
        for (var i = 0; i < 3; i++)
        {
            Assert.Throws<ModuleLimitException>(() => Instance.Instantiate(many, new Imports(), store));
        }
        var imports = new Imports().Add("n", "n", new Table(ValueType.FuncRef, 1));
        var imported = Module.Decode(Sections((2, 1, to => Name(Name(to, 1), 1).Byte(1).Byte(0x70).Byte(0).Byte(0)), (4, 1, to => to.Byte(0x70).Byte(0).Unsigned(20_000_000))));
        Assert.Throws<ModuleLimitException>(() => Instance.Instantiate(imported, imports, store));
    }

    [Theory]
    [InlineData(1, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(2, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(3, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(6, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(7, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(9, new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x0F })]
    [InlineData(9, new byte[] { 1, 1, 0, 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(10, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(11, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    [InlineData(0, new byte[] { 0xFF, 0xFF, 0xFF, 0x7F })]
    public void A_count_that_is_only_announced_takes_no_memory(byte section, byte[] content)
    {
        byte[] bytes = [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, section, (byte)content.Length, .. content];
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.NotNull(Trial.Decode(bytes, out _));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100_000);
    }

    private static long Decode(byte[] bytes)
    {
        var clock = Stopwatch.StartNew();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Trial.Decode(bytes, out _);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(8), $"Decoding {bytes.Length} bytes took {clock.Elapsed}.");
        return allocated;
    }

    private static void Repeat(int count, Action open, Action? close = null)
    {
        for (var i = 0; i < count; i++)
        {
            open();
        }
        for (var i = 0; close is not null && i < count; i++)
        {
            close();
        }
    }

    private static CodeWriter Labels(CodeWriter body, int count)
    {
        body.I32(0).Op(Opcode.BrTable).Unsigned(count);
        for (var i = 0; i <= count; i++)
        {
            body.Unsigned(0);
        }
        return body;
    }

    private static void WideLabels(CodeWriter body, int count)
    {
        for (var i = 0; i < 1_000; i++)
        {
            body.I32(i);
        }
        Labels(body, count);
    }

    private static void WideBranches(CodeWriter body, int count)
    {
        for (var i = 0; i < 1_000; i++)
        {
            body.I32(i);
        }
        Repeat(count, () => body.I32(0).Op(Opcode.BrIf, 0));
    }

    private static void WideTables(CodeWriter body, int count)
    {
        for (var i = 0; i < count / 100; i++)
        {
            body.Open(Opcode.Block);
            Repeat(500, () => body.I32(0));
            Labels(body, 50).End();
        }
        Repeat(500, () => body.I32(0));
    }

    private static void WideCalls(CodeWriter body, int count)
    {
        for (var i = 0; i < 1_000; i++)
        {
            body.I32(i);
        }
        for (var i = 0; i < count; i++)
        {
            body.Op(Opcode.Call, 1);
        }
        for (var i = 0; i < 1_000; i++)
        {
            body.Op(Opcode.Drop);
        }
    }

    private static byte[] Function(Action<CodeWriter> write, int locals = 0, int results = 0, int second = 0)
    {
        var body = new CodeWriter();
        _ = locals == 0 ? body.Byte(0) : body.Byte(1).Unsigned(locals).Byte(0x7F);
        write(body);
        var bytes = body.End().ToArray();
        byte[] other = [0, .. Enumerable.Range(0, second).SelectMany(i => new CodeWriter().Op(Opcode.LocalGet, i).ToArray()), 0x0B];
        var bodies = new Queue<byte[]>([bytes, other]);
        var index = 0;
        var types = new Queue<(int Parameters, int Results)>([(0, results), (second, second)]);
        return Sections(
            (1, 2, to =>
            {
                var (parameters, gives) = types.Dequeue();
                to.Byte(0x60).Unsigned(parameters).Bytes(Enumerable.Repeat((byte)0x7F, parameters).ToArray())
                    .Unsigned(gives).Bytes(Enumerable.Repeat((byte)0x7F, gives).ToArray());
            }),
            (3, 2, to => to.Unsigned(index++)),
            (7, 1, to => Name(to, 1).Byte(0).Byte(0)),
            (10, 2, to =>
            {
                var next = bodies.Dequeue();
                to.Unsigned(next.Length).Bytes(next);
            }));
    }

    private static byte[] Functions(int count, byte[] body) => Sections(
        (1, 1, to => to.Byte(0x60).Byte(0).Byte(0)),
        (3, count, to => to.Byte(0)),
        (7, 1, to => Name(to, 1).Byte(0).Byte(0)),
        (10, count, to => to.Unsigned(body.Length).Bytes(body)));

    private static void Export(CodeWriter to)
    {
        // Names differ by where they stand.
        var name = System.Text.Encoding.ASCII.GetBytes($"{to.Length}");
        to.Unsigned(name.Length).Bytes(name).Byte(2).Byte(0);
    }

    private static CodeWriter Name(CodeWriter to, int length) => to.Unsigned(length).Bytes(Enumerable.Repeat((byte)'n', length).ToArray());

    private static byte[] Sections(params (byte Id, int Count, Action<CodeWriter> Write)[] sections)
    {
        var module = new CodeWriter().Bytes([0, 0x61, 0x73, 0x6D, 1, 0, 0, 0]);
        foreach (var (id, count, write) in sections)
        {
            var content = new CodeWriter().Unsigned(count);
            for (var i = 0; i < count; i++)
            {
                write(content);
            }
            var bytes = content.ToArray();
            module.Byte(id).Unsigned(bytes.Length).Bytes(bytes);
        }
        return module.ToArray();
    }
}
