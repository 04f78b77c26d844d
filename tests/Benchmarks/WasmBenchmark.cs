using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Benchmarks;

/// <summary>
/// Programs compiled from C by clang -O2, in our tiers and in Node (V8): the same module and arguments, fresh instances in
/// warm processes, the best of several runs each, outputs compared.
/// </summary>
internal static class WasmBenchmark
{
    private const int Runs = 5;

    private static readonly string[] Programs =
        ["sha256", "matmul", "sieve", "nbody", "mandelbrot", "levenshtein", "json", "quicksort", "simd"];

    public static async Task RunAsync()
    {
        var only = Environment.GetEnvironmentVariable("MESHLEDGER_BENCH_ONLY")?.Split(',');
        var (ratios, pausable, interpreted) = (new List<double>(), new List<double>(), new List<double>());
        foreach (var program in Programs.Where(name => only is null || only.Contains(name)))
        {
            var path = Path.Combine(Guests(), program + ".wasm");
            var bytes = await File.ReadAllBytesAsync(path);
            var (node, text) = await NodeAsync(path);
            var plain = Module.Decode(bytes);
            var rigid = Module.Decode(bytes).WithoutPauses();
            var (ours, without) = (double.MaxValue, double.MaxValue);
            for (var i = 0; i < Runs; i++)
            {
                ours = Math.Min(ours, Time(plain, program, Tier.Compiled, text));
                without = Math.Min(without, Time(rigid, program, Tier.Compiled, text));
            }
            var slow = Time(plain, program, Tier.Interpreter, text);
            slow = Math.Min(slow, Time(plain, program, Tier.Interpreter, text));
            ratios.Add(ours / node);
            pausable.Add(ours / without);
            interpreted.Add(slow / ours);
            Figure.Print($"wasm_{program}", ours, "ms", "node", node);
            Figure.Print($"wasm_{program}_pausable", ours, "ms", "without_pauses", without);
            Figure.Print($"wasm_{program}_interpreter", slow, "ms", "compiled", ours);
        }
        Figure.Print("wasm_geomean", Geomean(ratios), "times_node");
        Figure.Print("wasm_worst", ratios.Max(), "times_node");
        Figure.Print("wasm_pausable", Geomean(pausable), "times_without");
        Figure.Print("wasm_pausable_worst", pausable.Max(), "times_without");
        Figure.Print("wasm_interpreter", Geomean(interpreted), "times_compiled");
        Figure.Print("wasm_interpreter_worst", interpreted.Max(), "times_compiled");
        if (only is null || only.Contains("start"))
        {
            await StartAsync();
        }
    }

    private static double Geomean(List<double> values) => Math.Exp(values.Average(Math.Log));

    private static double Time(Module module, string program, Tier tier, string expected)
    {
        using var guest = GuestProgram.Start(module, new GuestOptions { Arguments = [program + ".wasm"], Tier = tier });
        var clock = Stopwatch.StartNew();
        var state = guest.Run();
        var elapsed = clock.Elapsed.TotalMilliseconds;
        var text = Encoding.UTF8.GetString(guest.StandardOutput.Span);
        return state == GuestState.Exited && text == expected
            ? elapsed
            : throw new InvalidOperationException($"{program} in {tier} ended {state} ({guest.Trap?.Message}) with:\n{text}\nexpected:\n{expected}");
    }

    private static async Task StartAsync()
    {
        var bytes = await File.ReadAllBytesAsync(Path.Combine(Guests(), "hello130k.wasm"));
        var options = new GuestOptions { Arguments = ["hello"] };
        var clock = Stopwatch.StartNew();
        Hello(Module.Decode(bytes), options);
        Figure.Print("wasm_start_cold", clock.Elapsed.TotalMilliseconds, "ms");
        var start = double.MaxValue;
        for (var i = 0; i < 20; i++)
        {
            clock.Restart();
            Hello(Module.Decode(bytes), options);
            start = Math.Min(start, clock.Elapsed.TotalMilliseconds);
        }
        Figure.Print("wasm_start", start, "ms");

        var module = Module.Decode(bytes);
        Hello(module, options);
        const int Instances = 3_000;
        var before = Process.GetCurrentProcess().WorkingSet64;
        clock.Restart();
        for (var i = 0; i < Instances; i++)
        {
            Hello(module, options);
        }
        Figure.Print("wasm_instances", Instances / clock.Elapsed.TotalSeconds, "instances/s");
        Figure.Print("wasm_instances_growth", (Process.GetCurrentProcess().WorkingSet64 - before) / 1048576.0, "MiB");
    }

    private static void Hello(Module module, GuestOptions options)
    {
        using var guest = GuestProgram.Start(module, options);
        if (guest.Run() != GuestState.Exited)
        {
            throw new InvalidOperationException($"hello130k: {guest.Trap?.Message}");
        }
    }

    // Several short processes: Node's WASI sometimes crashes when one process runs many instances that grow their memory.
    private static async Task<(double Milliseconds, string Text)> NodeAsync(string module)
    {
        var best = (Milliseconds: double.MaxValue, Text: "");
        for (var (done, tries) = (0, 0); done < Runs - 2; tries++)
        {
            using var process = Process.Start(new ProcessStartInfo("node")
            {
                ArgumentList = { "--no-warnings", Path.Combine(Repository(), "tests/Benchmarks/wasm/run.mjs"), module, "2" },
                RedirectStandardOutput = true,
            })!;
            var text = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
            {
                if (tries < 3 * Runs)
                {
                    continue;
                }
                throw new InvalidOperationException($"Node ended {process.ExitCode} with {module}.");
            }
            using var result = JsonDocument.Parse(text);
            var time = result.RootElement.GetProperty("times").EnumerateArray().Min(value => value.GetDouble());
            best = (Math.Min(best.Milliseconds, time), result.RootElement.GetProperty("text").GetString()!);
            done++;
        }
        return best;
    }

    private static string Guests() => Path.Combine(Repository(), "examples/guests/wasi");

    private static string Repository()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "MeshLedger.sln")))
        {
            directory = Path.GetDirectoryName(directory)
                ?? throw new DirectoryNotFoundException("The benchmarks run from within the repository.");
        }
        return directory;
    }
}
