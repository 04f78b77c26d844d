using System.Security.Cryptography;

namespace MeshLedger.Wasm.Tests.Generated;

public sealed class TierTests
{
    private static readonly RunLimits Limits = new() { Fuel = 100_000, CallDepth = 200, MemoryPages = 4 };

    [Theory]
    [MemberData(nameof(Seeds), 0, 12)]
    public void A_generated_module_means_the_same_in_every_tier(int seed)
    {
        for (var i = 0; i < 25; i++)
        {
            var module = Module.Decode(ModuleGenerator.Module((seed * 25) + i));
            var reference = Ending(module, Tier.Interpreter, null);
            foreach (var tier in Enum.GetValues<Tier>())
            {
                Assert.Equal($"{tier} {reference}", $"{tier} {Ending(module, tier, null)}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds), 100, 12)]
    public void A_generated_module_that_pauses_ends_as_if_it_had_not(int seed)
    {
        for (var i = 0; i < 10; i++)
        {
            var module = Module.Decode(ModuleGenerator.Module((seed * 10) + i));
            var whole = Ending(module, Tier.Interpreter, null);
            foreach (var tier in Enum.GetValues<Tier>())
            {
                Assert.Equal($"{tier} {whole}", $"{tier} {Ending(module, tier, new Random(seed))}");
            }
        }
    }

    public static TheoryData<int> Seeds(int from, int count) => [.. Enumerable.Range(from, count)];

    /// <summary>All that can be told from outside about how a run ended.</summary>
    private static string Ending(Module module, Tier tier, Random? pauses)
    {
        using var store = new Store(Limits, tier);
        var instance = Instance.Instantiate(module, new Imports(), store);
        var execution = Execution.Start(instance, "main");
        while (execution.Run(pauses is null ? null : execution.FuelUsed + pauses.NextInt64(1, 400)) == ExecutionState.Paused)
        {
        }
        var globals = string.Join(' ', instance.Globals.Select(global => global.Value));
        Assert.True(instance.Memory!.TrySlice(0, (uint)instance.Memory.Length, out var memory));
        return $"{execution.State} {string.Join(' ', execution.Results)} {execution.Trap?.Kind} fuel {execution.FuelUsed} "
            + $"globals {globals} memory {memory.Length} {Convert.ToHexStringLower(SHA256.HashData(memory))}\n"
            + string.Join('\n', execution.Trap?.BackTrace.Select(frame => frame.Function) ?? []);
    }
}
