using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Wasm.Tests.Fuzz;

/// <summary>
/// Mutants of the suite's modules and of the guests: each is refused with one of the reasons that there are, or runs within its
/// limits, with the same ending in both tiers, in bounded time and memory. MESHLEDGER_FUZZ_SECONDS makes it go on for longer.
/// </summary>
public sealed class MutationTests
{
    private const int Batches = 4;
    private const int Mutants = 10_000;

    /// <summary>Far above what any takes: a machine may be busy.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    private static readonly Lazy<IReadOnlyList<byte[]>> Seeds = new(Load);

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Batches)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_mutant_is_refused_or_runs_within_its_limits(int batch)
    {
        var first = Environment.GetEnvironmentVariable("MESHLEDGER_FUZZ_SEED") ?? "0";
        var mutator = new Mutator(Seeds.Value, (batch * 7_919) + int.Parse(first, CultureInfo.InvariantCulture));
        var (done, ran) = (0, 0);
        byte[] current = [];
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                var clock = Stopwatch.StartNew();
                for (; done < Mutants || clock.Elapsed < Longer; done++)
                {
                    ran += Try(current = mutator.Next()) ? 1 : 0;
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                failure = e;
            }
        });
        thread.Start();
        // A mutant that hangs is told with its bytes rather than by a runner that gives up.
        for (var seen = -1; !thread.Join(Longest) && seen != done; seen = done)
        {
        }
        Assert.False(thread.IsAlive, $"Mutant {done} hangs: {Convert.ToBase64String(current)}");
        Assert.True(failure is null, $"Mutant {done}: {failure}\n{Convert.ToBase64String(current)}");
        Assert.True(ran > done / 10, $"Only {ran} of {done} ran.");
        Assert.True(Process.GetCurrentProcess().WorkingSet64 < 3L << 30);
    }

    private static TimeSpan Longer => TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("MESHLEDGER_FUZZ_SECONDS") ?? "0", CultureInfo.InvariantCulture) / Batches);

    private static bool Try(byte[] bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refusal = Trial.Decode(bytes, out var module);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 200_000 + (bytes.Length * 100L), $"Decoding {bytes.Length} bytes allocated {allocated}.");
        if (module is null)
        {
            Assert.NotNull(refusal);
            return false;
        }
        var expected = Trial.Run(module, Tier.Interpreter);
        Assert.Equal(expected, Trial.Run(module, Tier.Compiled));
        return !expected.StartsWith("refused", StringComparison.Ordinal);
    }

    private static List<byte[]> Load()
    {
        var folders = new[] { Path.Combine(AppContext.BaseDirectory, "spec"), Path.Combine(AppContext.BaseDirectory, "guests"), Spec.SuiteTests.Official() };
        var seeds = folders.Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder!, "*.wasm").Order(StringComparer.Ordinal))
            .Select(File.ReadAllBytes).Where(bytes => bytes.Length is > 20 and < 60_000 && Trial.Decode(bytes, out _) is null).ToList();
        seeds.AddRange(Enumerable.Range(0, 80).Select(Differential.RandomModule.Make));
        Assert.True(seeds.Count > 100, $"There are only {seeds.Count} seeds.");
        return seeds;
    }
}
