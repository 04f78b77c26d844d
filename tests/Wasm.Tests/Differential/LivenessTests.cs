using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Tests.Generated;

namespace MeshLedger.Wasm.Tests.Differential;

/// <summary>A local that is read on one way out of a pause, and written on the others, is kept by the pause.</summary>
public sealed class LivenessTests
{
    private static readonly Dictionary<string, Action<CodeWriter>> Ways = new()
    {
        ["else"] = body => body.Op(Opcode.LocalGet, 0).Open(Opcode.If).I32(1).Op(Opcode.LocalSet, 1)
            .Op(Opcode.Else).Op(Opcode.LocalGet, 1).Op(Opcode.LocalSet, 2).End(),
        ["no else"] = body => body.Op(Opcode.LocalGet, 0).Open(Opcode.If).I32(1).Op(Opcode.LocalSet, 1).End()
            .Op(Opcode.LocalGet, 1).Op(Opcode.LocalSet, 2),
        ["a branch"] = body => body.Open(Opcode.Block).Op(Opcode.LocalGet, 0).Op(Opcode.I32Eqz).Op(Opcode.BrIf, 0).I32(1)
            .Op(Opcode.LocalSet, 1).End().Op(Opcode.LocalGet, 1).Op(Opcode.LocalSet, 2),
        ["a table"] = body => body.Open(Opcode.Block).Open(Opcode.Block).Op(Opcode.LocalGet, 0).Op(Opcode.BrTable).Bytes([1, 1, 0]).End().I32(1)
            .Op(Opcode.LocalSet, 1).End().Op(Opcode.LocalGet, 1).Op(Opcode.LocalSet, 2),
        ["a loop"] = body => body.Open(Opcode.Loop).Op(Opcode.LocalGet, 3).Open(Opcode.If).Op(Opcode.LocalGet, 1).Op(Opcode.LocalSet, 2)
            .Op(Opcode.Else).I32(1).Op(Opcode.LocalSet, 3).Op(Opcode.Call, 1).Op(Opcode.Br, 1).End().End(),
    };

    public static TheoryData<string> Names => [.. Ways.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_has_its_value_after_a_pause_at_any_mark(string way)
    {
        var writer = new ModuleWriter();
        var body = new CodeWriter().I32(5).Op(Opcode.LocalSet, 1).Op(Opcode.Call, 1);
        Ways[way](body);
        body.I32(9).Op(Opcode.LocalSet, 1).Op(Opcode.LocalGet, 2);
        writer.Function(
            writer.Type([ValueType.I32], [ValueType.I32]), [ValueType.I32, ValueType.I32, ValueType.I32], body, "f");
        writer.Function(writer.Type([], []), [], new CodeWriter().I32(1).Op(Opcode.Drop).Open(Opcode.Loop).I32(1).Op(Opcode.Drop).End(), null);
        var module = Module.Decode(writer.ToArray());
        var pauses = 0;
        for (var mark = 0; mark < 40; mark++)
        {
            foreach (var (from, to) in ((Tier, Tier)[])[(Tier.Compiled, Tier.Interpreter), (Tier.Interpreter, Tier.Compiled)])
            {
                using var first = new Store(null, from);
                var execution = Execution.Start(Instance.Instantiate(module, new Imports(), first), "f", Value.I32(0));
                using var second = new Store(null, to);
                if (execution.Run(mark) == ExecutionState.Paused)
                {
                    using var snapshot = new MemoryStream();
                    execution.WriteSnapshot(snapshot, []);
                    snapshot.Position = 0;
                    execution = Execution.Resume(Instance.Prepare(module, new Imports(), second), snapshot, out _);
                    execution.Run();
                    pauses++;
                }
                Assert.Equal($"mark {mark}: {Value.I32(5)}", $"mark {mark}: {Assert.Single(execution.Results)}");
            }
        }
        Assert.True(pauses > 4);
    }
}
