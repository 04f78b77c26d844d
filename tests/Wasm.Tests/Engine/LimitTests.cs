using static MeshLedger.Wasm.Tests.Engine.TestModule;

namespace MeshLedger.Wasm.Tests.Engine;

public sealed class LimitTests
{
    public static TheoryData<Tier> Tiers => Programs.Tiers;

    [Theory]
    [MemberData(nameof(Tiers))]
    public void A_recursion_that_ends_within_the_call_depth_ends_on_any_stack(Tier tier)
    {
        foreach (var locals in (int[])[0, 20, 400, 3_000])
        {
            var module = Programs.Recursive(locals);
            var depth = 400_000 / Math.Max(20, locals);
            var fuel = new HashSet<long>();
            // Enough for no more than a few compiled frames, and for all of them.
            foreach (var stack in (int[])[640 << 10, 256 << 20])
            {
                var (result, used) = Programs.OnSmallStack(stack, () =>
                {
                    using var store = new Store(new RunLimits { CallDepth = 2_000_000 }, tier);
                    var instance = Instance.Instantiate(module, new Imports(), store);
                    return (instance.Invoke("sum", Value.I32(depth))[0].AsI64(), instance.FuelUsed);
                });
                Assert.Equal((long)depth * (depth + 1) / 2, result);
                fuel.Add(used);
            }
            Assert.Single(fuel);
        }
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void A_recursion_without_end_traps_whatever_its_frames_size(Tier tier)
    {
        foreach (var locals in (int[])[0, 500, 6_000])
        {
            var module = Programs.Recursive(locals);
            var trap = Assert.Throws<TrapException>(() => Programs.OnSmallStack(1 << 20, () =>
            {
                using var store = new Store(null, tier);
                return Instance.Instantiate(module, new Imports(), store).Invoke("sum", Value.I32(-1));
            }));
            Assert.Equal(TrapKind.CallStackExhausted, trap.Kind);
            Assert.All(trap.BackTrace, frame => Assert.Equal("$sum", frame.Name));
        }
    }

    [Fact]
    public void The_call_depth_ends_at_the_same_call_in_every_tier()
    {
        var module = Programs.Recursive(40);
        var fuel = new HashSet<long>();
        foreach (var tier in Enum.GetValues<Tier>())
        {
            using var store = new Store(new RunLimits { CallDepth = 777 }, tier);
            var execution = Execution.Start(Instance.Instantiate(module, new Imports(), store), "sum", Value.I32(5_000));
            Assert.Equal(ExecutionState.Trapped, execution.Run());
            Assert.Equal(TrapKind.CallStackExhausted, execution.Trap!.Kind);
            fuel.Add(execution.FuelUsed);
        }
        Assert.Single(fuel);
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Fuel_ends_a_guest_at_the_unit(Tier tier)
    {
        var module = Programs.Loops();
        var needed = Run(tier, module, null).FuelUsed;
        Assert.Equal(ExecutionState.Completed, Run(tier, module, needed).State);
        var short1 = Run(tier, module, needed / 2);
        Assert.Equal((ExecutionState.Trapped, TrapKind.OutOfFuel), (short1.State, short1.Trap!.Kind));
        Assert.Equal(needed / 2, short1.FuelUsed);

        static Execution Run(Tier tier, Module module, long? fuel)
        {
            using var store = new Store(new RunLimits { Fuel = fuel }, tier);
            var execution = Execution.Start(Instance.Instantiate(module, new Imports(), store), "count", Value.I32(10_000));
            execution.Run();
            return execution;
        }
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Time_ends_a_loop_without_end_and_says_where(Tier tier)
    {
        using var store = new Store(new RunLimits { Time = TimeSpan.FromMilliseconds(150) }, tier);
        var execution = Execution.Start(Instance.Instantiate(Programs.Loops(), new Imports(), store), "outer");
        Assert.Equal(ExecutionState.Trapped, execution.Run());
        Assert.Equal(TrapKind.DeadlineExceeded, execution.Trap!.Kind);
        Assert.Equal(["func[1] <$ever>", "func[2] <$outer>"], execution.Trap.BackTrace.Select(frame => frame.ToString()));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public async Task A_loop_without_end_pauses_when_asked_from_another_thread(Tier tier)
    {
        using var store = new Store(null, tier);
        var execution = Execution.Start(Instance.Instantiate(Programs.Loops(), new Imports(), store), "outer");
        for (var i = 0; i < 3; i++)
        {
            var before = execution.FuelUsed;
            var run = Task.Factory.StartNew(() => execution.Run(), TaskCreationOptions.LongRunning);
            store.RequestPause();
            Assert.Equal(ExecutionState.Paused, await run);
            Assert.True(execution.FuelUsed > before);
        }
    }

    [Fact]
    public void Memory_and_tables_grow_to_the_limit_alone()
    {
        var module = new TestModule().Memory(1).Function("grow", [I32], [I32], [], 0x20, 0, 0x40, 0).Module();
        foreach (var tier in Enum.GetValues<Tier>())
        {
            using var store = new Store(new RunLimits { MemoryPages = 10 }, tier);
            var instance = Instance.Instantiate(module, new Imports(), store);
            Assert.Equal([1, -1, 4, -1], ((int[])[3, 7, 6, 1]).Select(pages => instance.Invoke("grow", Value.I32(pages))[0].AsI32()));
            Assert.Equal(10, instance.Memory!.Pages);
        }
        using var small = new Store(new RunLimits { MemoryPages = 0 });
        Assert.Throws<ModuleLimitException>(() => Instance.Instantiate(module, new Imports(), small));
        using var narrow = new Store(new RunLimits { TableEntries = 9 });
        Assert.Throws<ModuleLimitException>(() => Instance.Instantiate(new TestModule().Table(10).Module(), new Imports(), narrow));
    }

    [Fact]
    public void A_module_beyond_its_limits_is_refused_with_both_numbers()
    {
        var bytes = new TestModule().Function("f", [], [], [I32, I32, I32], []).Bytes();
        var limits = ModuleLimits.Default;
        Assert.Contains("5 are allowed", Refused(limits with { ModuleBytes = 5 }), StringComparison.Ordinal);
        Assert.Contains("3 locals", Refused(limits with { Locals = 2 }), StringComparison.Ordinal);
        Assert.Contains("0 are allowed", Refused(limits with { Functions = 0 }), StringComparison.Ordinal);
        Assert.Contains("1 are allowed", Refused(limits with { BodyBytes = 1 }), StringComparison.Ordinal);

        string Refused(ModuleLimits given) => Assert.Throws<ModuleLimitException>(() => Module.Decode(bytes, given)).Message;
    }
}
