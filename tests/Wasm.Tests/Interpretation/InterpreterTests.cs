using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;
using MeshLedger.Wasm.Tests.Generated;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Interpretation;

public sealed class InterpreterTests
{
    [Fact]
    public void An_operand_keeps_the_value_that_the_local_had_when_it_was_read()
    {
        // x - (x := 5) + x
        var code = new CodeWriter().Op(Opcode.LocalGet, 0).I32(5).Op(Opcode.LocalTee, 0).Op(Opcode.I32Sub)
            .Op(Opcode.LocalGet, 0).Op(Opcode.I32Add);
        Assert.Equal([Value.I32(100)], Run([I32], [I32], [], code, Value.I32(100)));
    }

    [Fact]
    public void Results_may_be_parameters_in_another_order()
    {
        var code = new CodeWriter().Op(Opcode.LocalGet, 2).Op(Opcode.LocalGet, 0).Op(Opcode.LocalGet, 1);
        Assert.Equal(
            [Value.F64(3), Value.I32(1), Value.I64(2)],
            Run([I32, I64, F64], [F64, I32, I64], [], code, Value.I32(1), Value.I64(2), Value.F64(3)));
    }

    [Fact]
    public void A_branch_with_a_value_leaves_the_operands_below_it_out()
    {
        var code = new CodeWriter().Open(Opcode.Block, I32).I32(1).I32(2).I32(7).Op(Opcode.LocalGet, 0).Op(Opcode.BrIf, 0)
            .Op(Opcode.Drop).Op(Opcode.I32Add).End();
        Assert.Equal([Value.I32(7)], Run([I32], [I32], [], code, Value.I32(1)));
        Assert.Equal([Value.I32(3)], Run([I32], [I32], [], code, Value.I32(0)));
    }

    [Fact]
    public void More_operands_than_are_noted_at_once_keep_their_values()
    {
        var code = new CodeWriter();
        for (var i = 0; i < 200; i++)
        {
            code.Op(Opcode.LocalGet, 0);
        }
        code.I32(1).Op(Opcode.LocalSet, 0);
        for (var i = 1; i < 200; i++)
        {
            code.Op(Opcode.I32Add);
        }
        Assert.Equal([Value.I32(600)], Run([I32], [I32], [], code, Value.I32(3)));
    }

    [Fact]
    public void Recursion_ends_at_the_call_depth_and_not_at_the_hosts_stack()
    {
        var module = new ModuleWriter();
        module.Function(module.Type([], []), [], new CodeWriter().Op(Opcode.Call, 0), "main");
        var limits = new RunLimits { CallDepth = 2_000_000 };
        using var store = new Store(limits, Tier.Interpreter);
        var instance = Instance.Instantiate(Module.Decode(module.ToArray()), new Imports(), store);
        var trap = Assert.Throws<TrapException>(() => instance.Invoke("main"));
        Assert.Equal(TrapKind.CallStackExhausted, trap.Kind);
        Assert.Equal(64, trap.BackTrace.Length);
        Assert.Equal(2_000_000 * (FuelCosts.Of(Opcode.Call) + 0L), instance.FuelUsed);
    }

    [Theory]
    [InlineData(Tier.Interpreter)]
    [InlineData(Tier.Compiled)]
    public void A_guest_paused_at_every_mark_leaves_what_a_new_instance_goes_on_with(Tier other)
    {
        var module = Module.Decode(Fibonacci());
        var (whole, used, _) = Go(module, Tier.Interpreter, long.MaxValue, []);
        for (var mark = 0L; mark < used; mark++)
        {
            var (results, paused, frames) = Go(module, mark % 2 == 0 ? Tier.Interpreter : other, mark, []);
            if (frames.Length == 0)
            {
                Assert.Equal(whole, results);
                continue;
            }
            Assert.True(paused > mark);
            var (resumed, total, _) = Go(module, Tier.Interpreter, long.MaxValue, frames, paused);
            Assert.Equal((whole[0], used), (resumed[0], total));
        }
    }

    [Fact]
    public void Saved_frames_that_the_module_could_not_have_left_are_refused()
    {
        var module = Module.Decode(Fibonacci());
        var (_, _, frames) = Go(module, Tier.Interpreter, 100, []);
        Assert.True(frames.Length > 2);
        var inner = frames[0];
        foreach (var forged in (SavedFrame[])
            [
                inner with { Function = 7 },
                inner with { Function = -1 },
                inner with { Offset = inner.Offset + 1 },
                inner with { Point = PausePoint.AwaitingCall },
                inner with { Words = [.. inner.Words, 0] },
                inner with { Words = [ulong.MaxValue, .. inner.Words[1..]] },
            ])
        {
            Assert.Throws<FormatException>(() => Go(module, Tier.Interpreter, long.MaxValue, [forged, .. frames[1..]]));
        }
        Assert.Throws<FormatException>(() => Go(module, Tier.Interpreter, long.MaxValue, frames[1..]));
    }

    /// <summary>Calls itself twice, with operands that wait, and counts in a loop.</summary>
    private static byte[] Fibonacci()
    {
        var module = new ModuleWriter();
        var code = new CodeWriter()
            .Open(Opcode.Loop).Op(Opcode.LocalGet, 1).I32(1).Op(Opcode.I32Add).Op(Opcode.LocalTee, 1).I32(3).Op(Opcode.I32LtS)
            .Op(Opcode.BrIf, 0).End()
            .Op(Opcode.LocalGet, 0).I32(2).Op(Opcode.I32LtS).Open(Opcode.If, I64)
            .Op(Opcode.LocalGet, 0).Op(Opcode.I64ExtendI32S)
            .Op(Opcode.Else)
            .Op(Opcode.LocalGet, 0).I32(1).Op(Opcode.I32Sub).Op(Opcode.Call, 0)
            .Op(Opcode.LocalGet, 0).I32(2).Op(Opcode.I32Sub).I32(0).Op(Opcode.CallIndirect, 0, 0)
            .Op(Opcode.I64Add).End();
        module.Function(module.Type([I32], [I64]), [I32], code, "fibonacci");
        return module.ToArray();
    }

    private static (ulong[] Results, long Used, SavedFrame[] Frames) Go(
        Module module, Tier tier, long mark, SavedFrame[] frames, long used = 0)
    {
        using var store = new Store(null, tier) { PauseMark = mark, Pausable = true };
        var instance = Instance.Instantiate(module, new Imports(), store);
        store.Pausable = true;
        store.Running = instance;
        store.Begin(instance, used);
        ulong[] slots = [8];
        if (frames.Length == 0)
        {
            instance.Enter(0, slots);
        }
        else
        {
            Interpreter.Resume(instance, frames, slots, store.DepthLeft);
        }
        return (slots, store.Used(instance), store.Unwinding ? [.. store.Frames] : []);
    }

    private static Value[] Run(
        ValueType[] parameters, ValueType[] results, ValueType[] locals, CodeWriter code, params ReadOnlySpan<Value> arguments)
    {
        var module = new ModuleWriter();
        module.Function(module.Type(parameters, results), locals, code, "main");
        using var store = new Store(null, Tier.Interpreter);
        return Instance.Instantiate(Module.Decode(module.ToArray()), new Imports(), store).Invoke("main", arguments);
    }
}
