using System.Diagnostics;
using static MeshLedger.Wasm.Tests.Engine.TestModule;

namespace MeshLedger.Wasm.Tests.Engine;

/// <summary>Bodies made to exhaust a compiler: they are compiled or interpreted, and the process lives.</summary>
public sealed class CompilerLimitTests
{
    public static TheoryData<string, int> Bodies => new()
    {
        { "blocks", 15_000 }, { "loops", 15_000 }, { "loops", 900 }, { "ifs", 12_000 }, { "operands", 20_000 }, { "sums", 25_000 },
        { "calls", 20_000 }, { "locals", 7_000 }, { "table", 40_000 }, { "selects", 9_000 },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public void A_body_of_any_shape_runs_on_a_small_stack(string shape, int size)
    {
        var module = new TestModule().Memory(1).Function("other", [], [], []).Function("f", [I32], [I32], Locals(shape, size), Body(shape, size)).Module();
        var clock = Stopwatch.StartNew();
        var outcomes = new HashSet<(int, long)>();
        foreach (var tier in (Tier[])[Tier.Compiled, Tier.Interpreter])
        {
            outcomes.Add(Programs.OnSmallStack(1 << 20, () =>
            {
                using var store = new Store(null, tier);
                var instance = Instance.Instantiate(module, new Imports(), store);
                return (instance.Invoke("f", Value.I32(1))[0].AsI32(), instance.FuelUsed);
            }));
        }
        Assert.Single(outcomes);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"{shape}: {clock.Elapsed}");
    }

    private static byte[] Locals(string shape, int size) => [.. Enumerable.Repeat(I64, shape == "locals" ? size : 0)];

    private static byte[] Body(string shape, int size) => shape switch
    {
        "blocks" => [.. Many(size, 0x02, 0x40), .. Many(size, 0x0B), 0x20, 0],
        "loops" => [.. Many(size, 0x03, 0x40), .. Many(size, 0x0B), 0x20, 0],
        "ifs" => [.. Many(size, 0x20, 0, 0x04, 0x40), .. Many(size, 0x0B), 0x20, 0],
        "operands" => [.. Many(size, 0x20, 0), .. Many(size - 1, 0x6A)],
        "sums" => [0x20, 0, .. Many(size, 0x20, 0, 0x6A)],
        "calls" => [.. Many(size, 0x10, 0), 0x20, 0],
        "locals" => [.. Many(100, 0x10, 0), .. Enumerable.Range(1, size).SelectMany(i => (byte[])[0x20, .. Number(i), 0x1A]), 0x20, 0],
        "table" => [0x02, 0x40, 0x20, 0, 0x0E, .. Number(size), .. Many(size, 0), 0, 0x0B, 0x20, 0],
        "selects" => [0x20, 0, .. Many(size, 0x20, 0, 0x20, 0, 0x1B)],
        _ => throw new ArgumentOutOfRangeException(nameof(shape)),
    };

    private static IEnumerable<byte> Many(int count, params byte[] bytes) => Enumerable.Repeat(bytes, count).SelectMany(some => some);
}
