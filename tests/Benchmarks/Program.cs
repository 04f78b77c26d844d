using MeshLedger.Benchmarks;

// Each benchmark is a load program on the real parts; it prints one RESULT line a figure and asserts no timing.
var benchmarks = new Dictionary<string, Func<Task>>
{
    ["append"] = AppendBenchmark.RunAsync,
    ["streams"] = ReadBenchmarks.StreamsAsync,
    ["projections"] = ReadBenchmarks.ProjectionsAsync,
    ["query"] = QueryBenchmark.RunAsync,
    ["log"] = LogBenchmark.RunAsync,
    ["audit"] = ReadBenchmarks.AuditAsync,
    ["audit-memory"] = ReadBenchmarks.AuditMemoryAsync,
    ["jobs"] = JobsBenchmark.RunAsync,
    ["market"] = MarketBenchmark.RunAsync,
    ["blake3"] = Blake3Benchmark.RunAsync,
    ["fetch"] = FetchBenchmark.RunAsync,
    ["wasm"] = WasmBenchmark.RunAsync,
    ["microvm"] = MicroVmBenchmark.RunAsync,
};
if (args is [FetchBenchmark.PeerName, var directory, var bytesPerSecond])
{
    await FetchBenchmark.ServeAsync(directory, bytesPerSecond);
    return 0;
}

if (args is not [var name] || !benchmarks.TryGetValue(name, out var benchmark))
{
    await Console.Error.WriteLineAsync($"Usage: eng/bench.sh NAME, with NAME one of {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

await benchmark();
return 0;
