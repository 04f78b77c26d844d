using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Http;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Benchmarks;

/// <summary>
/// Fetching a blob from peers that are processes of their own on this machine, onto the disk: in turns with curl that
/// loads the same blob from the same peer, and b3sum that names what curl wrote. A fetch ends when the blob is durable;
/// curl and b3sum leave the file to the kernel, so what it takes to get that onto the disk, too, is a figure of its own.
/// </summary>
internal static class FetchBenchmark
{
    /// <summary>As this, the program is a peer: its arguments are a store's directory and the most bytes a second.
    /// </summary>
    public const string PeerName = "fetch-peer";

    private const int OneBytes = 1 << 30;
    private const int TwoBytes = 256 << 20;
    private const int PeerBytesPerSecond = 50_000_000;
    private const int Turns = 5;

    public static async Task RunAsync()
    {
        var home = Directory.CreateTempSubdirectory("ml-bench-").FullName;
        try
        {
            await OnePeerAsync(home);
            await TwoPeersAsync(home);
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    /// <summary>Serves until standard input ends, which it does when the benchmark does.</summary>
    public static async Task ServeAsync(string directory, string bytesPerSecond)
    {
        var rate = long.Parse(bytesPerSecond, CultureInfo.InvariantCulture);
        await using var server = await BlobServer.StartAsync(
            Open(directory), new BlobServerOptions { SendBytesPerSecond = rate == 0 ? null : rate }, TimeProvider.System,
            NullLogger.Instance, CancellationToken.None);
        await Console.Out.WriteLineAsync(server.Url);
        await Console.In.ReadToEndAsync();
    }

    private static async Task OnePeerAsync(string home)
    {
        var hash = await PrepareAsync(Path.Combine(home, "one"), OneBytes);
        using var peer = await Peer.StartAsync(Path.Combine(home, "one"), 0);
        var file = Path.Combine(home, "curl");
        var (fetch, plain) = (new Times(OneBytes), new Times(OneBytes));
        var (durable, disk) = (new Times(OneBytes), new Times(OneBytes));
        Func<Task>[] measures =
        [
            async () => fetch.Add(await FetchAsync(home, hash, peer.Url)),
            () => CurlAsync(peer, hash, file, plain, durable),
            async () => disk.Add(await WriteAsync(file)),
        ];

        // Each is first in turn: a disk in a cloud is faster after it has rested.
        for (var turn = 0; turn < Turns * measures.Length; turn++)
        {
            await measures[(turn + (turn / measures.Length)) % measures.Length]();
        }

        Figure.Print("fetch_one_peer", fetch.Best, "MiB/s", "curl_b3sum", plain.Best);
        Figure.Print("fetch_one_peer_median", fetch.Median, "MiB/s", "curl_b3sum", plain.Median);
        Figure.Print("fetch_one_peer_durable", fetch.Best, "MiB/s", "curl_b3sum_sync", durable.Best);
        Figure.Print("fetch_one_peer_durable_median", fetch.Median, "MiB/s", "curl_b3sum_sync", durable.Median);
        Figure.Print("fetch_one_peer_disk", fetch.Best, "MiB/s", "write_fsync", disk.Best);
        Figure.Print("fetch_one_peer_disk_median", fetch.Median, "MiB/s", "write_fsync", disk.Median);
    }

    private static async Task CurlAsync(Peer peer, BlobHash hash, string file, Times plain, Times durable)
    {
        var clock = Stopwatch.StartNew();
        await RunAsync("curl", "-sS", "-f", "-o", file, $"{peer.Url}/v1/blobs/{hash}");
        var found = await RunAsync("b3sum", "--no-names", file);
        plain.Add(clock.Elapsed);
        await RunAsync("sync", file);
        durable.Add(clock.Elapsed);
        File.Delete(file);
        if (BlobHash.Parse(found.Trim()) != hash)
        {
            throw new InvalidOperationException($"Expected {hash}, found {found}.");
        }
    }

    private static async Task TwoPeersAsync(string home)
    {
        var hash = await PrepareAsync(Path.Combine(home, "two"), TwoBytes);
        using var first = await Peer.StartAsync(Path.Combine(home, "two"), PeerBytesPerSecond);
        using var second = await Peer.StartAsync(Path.Combine(home, "two"), PeerBytesPerSecond);
        var (one, two) = (new Times(TwoBytes), new Times(TwoBytes));
        for (var turn = 0; turn < Turns; turn++)
        {
            one.Add(await FetchAsync(home, hash, first.Url));
            two.Add(await FetchAsync(home, hash, first.Url, second.Url));
        }

        Figure.Print("fetch_two_peers", two.Best, "MiB/s", "fetch_one_limited_peer", one.Best);
        Figure.Print("fetch_two_peers_median", two.Median, "MiB/s", "fetch_one_limited_peer", one.Median);
    }

    private static BlobStore Open(string directory) =>
        BlobStore.Open(directory, new BlobStoreOptions(), TimeProvider.System);

    private static async Task<BlobHash> PrepareAsync(string directory, int bytes)
    {
        var content = new byte[bytes];
        RandomNumberGenerator.Fill(content);
        return await Open(directory).AddBytesAsync(content, CancellationToken.None);
    }

    private static async Task<TimeSpan> FetchAsync(string home, BlobHash hash, params string[] peers)
    {
        var directory = Path.Combine(home, "into");
        using var list = new PeerList(peers, () => []);
        var fetcher = new BlobFetcher(
            Open(directory), list, new FetchOptions(), TimeProvider.System,
            NullLogger<BlobFetcher>.Instance);
        var clock = Stopwatch.StartNew();
        var fetched = await fetcher.FetchAsync(hash, null, null, CancellationToken.None);
        var time = clock.Elapsed;
        if (fetched.Faults.Count > 0 || fetched.Sources.Count != peers.Length)
        {
            throw new InvalidOperationException($"Not fetched from {string.Join(", ", peers)} alone.");
        }

        Directory.Delete(directory, recursive: true);
        return time;
    }

    /// <summary>What the disk takes for as many bytes that are at hand.</summary>
    private static async Task<TimeSpan> WriteAsync(string path)
    {
        var bytes = new byte[1 << 20];
        RandomNumberGenerator.Fill(bytes);
        var clock = Stopwatch.StartNew();
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            for (var at = 0L; at < OneBytes; at += bytes.Length)
            {
                await RandomAccess.WriteAsync(file, bytes, at);
            }

            RandomAccess.FlushToDisk(file);
        }

        var time = clock.Elapsed;
        File.Delete(path);
        return time;
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"{program} did not start.");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
    }

    private sealed class Times(int bytes)
    {
        private readonly List<double> _rates = [];

        public double Best => _rates.Max();

        public double Median => _rates.Order().ElementAt(_rates.Count / 2);

        public void Add(TimeSpan time) => _rates.Add(bytes / 1048576.0 / time.TotalSeconds);
    }

    private sealed class Peer(Process process, string url) : IDisposable
    {
        public string Url { get; } = url;

        public static async Task<Peer> StartAsync(string directory, int bytesPerSecond)
        {
            var start = new ProcessStartInfo(
                "dotnet",
                [
                    typeof(FetchBenchmark).Assembly.Location, PeerName, directory,
                    bytesPerSecond.ToString(CultureInfo.InvariantCulture),
                ])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            var process = Process.Start(start) ?? throw new InvalidOperationException("The peer did not start.");
            var url = await process.StandardOutput.ReadLineAsync();
            return new Peer(process, url ?? throw new InvalidOperationException("The peer did not start."));
        }

        public void Dispose()
        {
            process.StandardInput.Close();
            process.WaitForExit();
            process.Dispose();
        }
    }
}
