using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Wasm.Tests.Differential;

/// <summary>
/// Generated modules in both tiers: the same results to the bit, the same trap, fuel and final state, paused or not. Seeds are
/// fixed; MESHLEDGER_FUZZ_SECONDS goes on with others for that long.
/// </summary>
public sealed class DifferentialTests
{
    private const int Batches = 8;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, Batches)];

    private static TimeSpan Longer => TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("MESHLEDGER_FUZZ_SECONDS") ?? "0", CultureInfo.InvariantCulture) / Batches);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Both_tiers_end_every_function_in_the_same_way(int batch) => ForEachSeed(batch, 60, seed =>
    {
        var module = Module.Decode(RandomModule.Make(seed));
        foreach (var export in GeneratedRun.Exports(module))
        {
            var run = new GeneratedRun(module, export, seed);
            var expected = run.Whole(Tier.Interpreter).Ending;
            Assert.Equal($"{seed} {export}: {expected}", $"{seed} {export}: {run.Whole(Tier.Compiled).Ending}");
            Assert.Equal($"{seed} {export}: {expected}", $"{seed} {export}: {run.Whole(Tier.Adaptive).Ending}");
        }
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_call_that_pauses_and_goes_on_elsewhere_ends_as_one_that_does_not(int batch)
    {
        var pauses = 0;
        ForEachSeed(batch + 1_000, 12, seed =>
        {
            var random = new Random(seed);
            var module = Module.Decode(RandomModule.Make(seed));
            foreach (var export in GeneratedRun.Exports(module))
            {
                var run = new GeneratedRun(module, export, seed);
                var (expected, fuel) = run.Whole(Tier.Compiled);
                var marks = Enumerable.Range(0, 24).Select(_ => random.NextInt64(fuel + 1)).Order().ToArray();
                Assert.Equal($"{seed} {export}: {expected}", $"{seed} {export}: {run.Interrupted(marks, random, ref pauses)}");
                var mark = marks[random.Next(marks.Length)];
                Assert.Equal(run.SnapshotAt(mark, Tier.Interpreter), run.SnapshotAt(mark, Tier.Compiled));
            }
        });
        Assert.True(pauses > 100, $"There were only {pauses} pauses.");
    }

    /// <summary>What the generator is for: nearly all functions run for a while and end by themselves.</summary>
    [Fact]
    public void Most_generated_functions_run_to_their_end()
    {
        var (completed, all, fuel) = (0, 0, 0L);
        for (var seed = 0; seed < 40; seed++)
        {
            var module = Module.Decode(RandomModule.Make(seed));
            foreach (var export in GeneratedRun.Exports(module))
            {
                var (ending, used) = new GeneratedRun(module, export, seed).Whole(Tier.Interpreter);
                completed += ending.StartsWith("Completed", StringComparison.Ordinal) ? 1 : 0;
                all++;
                fuel += used;
            }
        }
        Assert.True(completed * 2 > all, $"{completed} of {all} completed.");
        Assert.True(fuel / all > 100, $"{fuel} units of fuel in {all} calls.");
    }

    private static void ForEachSeed(int batch, int count, Action<int> test)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < count || clock.Elapsed < Longer; i++)
        {
            test((batch * 1_000_003) + i);
        }
    }
}
