using static MeshLedger.Wasm.Tests.Engine.TestModule;

namespace MeshLedger.Wasm.Tests.Engine;

public sealed class HostTests
{
    private static readonly FunctionType Twice = new([ValueType.I32], [ValueType.I32]);

    public static TheoryData<Tier> Tiers => Programs.Tiers;

    // call(n) = host.f(n) + 1
    private static Module Calling() => new TestModule().Import("host", "f", [I32], [I32])
        .Function("call", [I32], [I32], [], 0x20, 0, 0x10, 0, 0x41, 1, 0x6A).Module();

    [Theory]
    [MemberData(nameof(Tiers))]
    public void The_host_is_called_with_words_and_may_call_back(Tier tier)
    {
        using var store = new Store(null, tier);
        var calls = 0;
        var imports = new Imports().Add("host", "f", Function.FromHost(Twice, (caller, slots) =>
        {
            calls++;
            caller.Charge(1_000);
            slots[0] = slots[0] == 0 ? 0 : (uint)caller.Invoke("call", Value.I32((int)slots[0] - 1))[0].AsI32();
        }));
        var instance = Instance.Instantiate(Calling(), imports, store);
        Assert.Equal(6, instance.Invoke("call", Value.I32(5))[0].AsI32());
        Assert.Equal(6, calls);
        Assert.InRange(instance.FuelUsed, 6_000, 6_100);
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void What_goes_wrong_in_the_host_ends_the_guest_with_the_reason(Tier tier)
    {
        using var store = new Store(null, tier);
        var imports = new Imports().Add("host", "f", Function.FromHost(Twice, (_, _) => throw new IOException("the disk is gone")));
        var instance = Instance.Instantiate(Calling(), imports, store);
        var trap = Assert.Throws<TrapException>(() => instance.Invoke("call", Value.I32(1)));
        Assert.Equal((TrapKind.HostError, "host error: the disk is gone"), (trap.Kind, trap.Message));
        Assert.Equal(["func[1] <$call>"], trap.BackTrace.Select(frame => frame.ToString()));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void A_host_that_swallows_a_trap_gives_its_guest_no_more_fuel(Tier tier)
    {
        using var store = new Store(new RunLimits { Fuel = 50_000 }, tier);
        var module = new TestModule().Import("host", "f", [I32], [I32])
            .Function("call", [I32], [I32], [], 0x20, 0, 0x10, 0, 0x41, 1, 0x6A)
            .Function("ever", [], [], [], 0x03, 0x40, 0x0C, 0, 0x0B).Module();
        var imports = new Imports().Add("host", "f", Function.FromHost(Twice, (caller, _) =>
            Assert.Equal(TrapKind.OutOfFuel, Assert.Throws<TrapException>(() => caller.Invoke("ever")).Kind)));
        var execution = Execution.Start(Instance.Instantiate(module, imports, store), "call", Value.I32(1));
        Assert.Equal(ExecutionState.Trapped, execution.Run());
        Assert.Equal((TrapKind.OutOfFuel, 50_000), (execution.Trap!.Kind, execution.FuelUsed));
    }

    [Fact]
    public void Imports_that_are_missing_or_of_another_type_are_named()
    {
        using var store = new Store();
        var missing = Assert.Throws<LinkException>(() => Instance.Instantiate(Calling(), new Imports(), store));
        Assert.Equal("unknown import: host.f (function)", missing.Message);
        var other = Function.FromHost(new FunctionType([], []), (_, _) => { });
        var wrong = Assert.Throws<LinkException>(() => Instance.Instantiate(Calling(), new Imports().Add("host", "f", other), store));
        Assert.Equal(
            "incompatible import type: host.f is wanted as a function [i32] -> [i32], offered is a function [] -> []", wrong.Message);
    }

    [Fact]
    public void A_call_with_other_arguments_is_refused()
    {
        using var store = new Store();
        var instance = Instance.Instantiate(Programs.Loops(), new Imports(), store);
        Assert.Throws<ArgumentException>(() => instance.Invoke("count"));
        Assert.Throws<ArgumentException>(() => instance.Invoke("count", Value.I64(1)));
        Assert.Throws<ArgumentException>(() => instance.Invoke("nothing"));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void What_a_disposed_store_held_is_empty_and_not_called(Tier tier)
    {
        var store = new Store(null, tier);
        var instance = Instance.Instantiate(new TestModule().Memory(1).Function("f", [], [], [], []).Module(), new Imports(), store);
        var memory = instance.Memory!;
        store.Dispose();
        store.Dispose();
        Assert.False(memory.TrySlice(0, 1, out _));
        Assert.Throws<ObjectDisposedException>(() => instance.Invoke("f"));
    }
}
