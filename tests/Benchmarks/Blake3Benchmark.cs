using System.Diagnostics;
using System.Security.Cryptography;
using MeshLedger.Crypto;

namespace MeshLedger.Benchmarks;

/// <summary>
/// Naming a file of 256 MiB that the page cache holds, in turns with b3sum naming the same file; then small inputs, and
/// outboards. b3sum's time is its process's, from start to exit; ours is a hash in a running process, as a node does
/// it.
/// </summary>
internal static class Blake3Benchmark
{
    private const int FileBytes = 256 * 1024 * 1024;
    private const int Turns = 15;

    public static async Task RunAsync()
    {
        var path = Path.Combine(Path.GetTempPath(), $"meshledger-blake3-{Environment.ProcessId}");
        try
        {
            var content = RandomNumberGenerator.GetBytes(FileBytes);
            await File.WriteAllBytesAsync(path, content);
            await FilesAsync(path);
            Outboards(content);
        }
        finally
        {
            File.Delete(path);
        }

        Small("blake3_64b", 64);
        Small("blake3_1kib", 1024);
    }

    private static async Task FilesAsync(string path)
    {
        using var file = File.OpenHandle(path);
        var (one, oneOfB3Sum, all, allOfB3Sum) = (new Best(), new Best(), new Best(), new Best());
        for (var turn = 0; turn < Turns; turn++)
        {
            var expected = await oneOfB3Sum.TimeAsync(() => B3SumAsync("--num-threads", "1", path));
            Same(expected, one.Time(() => Blake3.Hash(file, parallel: false)));
            Same(expected, await allOfB3Sum.TimeAsync(() => B3SumAsync(path)));
            Same(expected, all.Time(() => Blake3.Hash(file, parallel: true)));
        }

        Figure.Print("blake3_1t", one.Rate, "MiB/s", "b3sum_1t", oneOfB3Sum.Rate);
        Figure.Print("blake3_all", all.Rate, "MiB/s", "b3sum", allOfB3Sum.Rate);
    }

    private static void Outboards(byte[] content)
    {
        var (plain, plainAll, outboard, outboardAll) = (new Best(), new Best(), new Best(), new Best());
        var (verify, encode, decode) = (new Best(), new Best(), new Best());
        using var nodes = new MemoryStream();
        using var slice = new MemoryStream(content.Length / 16 * 18);
        for (var turn = 0; turn < Turns; turn++)
        {
            var root = plain.Time(() => Blake3.Hash(content));
            Same(root, plainAll.Time(() => Blake3.HashParallel(content)));
            Same(root, outboard.Time(() => Outboard(nodes, writer => writer.Update(content))));
            Same(root, outboardAll.Time(() => Outboard(nodes, writer => writer.UpdateParallel(content))));
            var verifier = new BaoVerifier(root, new BaoTree(content.Length), ByteSource.Of(nodes.ToArray()));
            if (!verify.Time(() => verifier.Verify(0, content, out _)))
            {
                throw new InvalidOperationException("The outboard does not verify.");
            }

            var encoding = BaoEncoding.Outboard(
                root, new BaoTree(content.Length), ByteSource.Of(nodes.ToArray()), ByteSource.Of(content));
            slice.Position = 0;
            encode.Time(() => Copy(encoding.OpenSlice(0, long.MaxValue), slice));
            slice.Position = 0;
            decode.Time(() => Copy(BaoDecoder.Combined(root, slice), Stream.Null));
        }

        Figure.Print("blake3_memory_1t", plain.Rate, "MiB/s");
        Figure.Print("blake3_memory_all", plainAll.Rate, "MiB/s");
        Figure.Print("bao_outboard_1t", outboard.Rate, "MiB/s", "blake3_memory_1t", plain.Rate);
        Figure.Print("bao_outboard_all", outboardAll.Rate, "MiB/s", "blake3_memory_all", plainAll.Rate);
        Figure.Print("bao_slice_encode_1t", encode.Rate, "MiB/s", "blake3_memory_1t", plain.Rate);
        Figure.Print("bao_slice_decode_1t", decode.Rate, "MiB/s", "blake3_memory_1t", plain.Rate);
        Figure.Print("bao_verify_1t", verify.Rate, "MiB/s", "blake3_memory_1t", plain.Rate);
    }

    private static BlobHash Outboard(MemoryStream nodes, Action<BaoOutboardWriter> write)
    {
        var writer = new BaoOutboardWriter(nodes);
        write(writer);
        return writer.Finish().Hash;
    }

    private static bool Copy(Stream from, Stream to)
    {
        using (from)
        {
            from.CopyTo(to);
        }

        return true;
    }

    private static void Small(string name, int length)
    {
        const int hashes = 200_000;
        var content = RandomNumberGenerator.GetBytes(length);
        var best = double.MaxValue;
        var allocated = 0L;
        for (var turn = 0; turn < Turns; turn++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < hashes; i++)
            {
                _ = Blake3.Hash(content);
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / hashes);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Figure.Print(name, best, "ns");
        Figure.Print($"{name}_allocated", (double)allocated / hashes, "bytes");
    }

    private static async Task<BlobHash> B3SumAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("b3sum", ["--no-names", .. arguments])
        {
            RedirectStandardOutput = true,
        }) ?? throw new InvalidOperationException("b3sum did not start.");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return BlobHash.Parse(output.Trim());
    }

    private static void Same(BlobHash expected, BlobHash found)
    {
        if (expected != found)
        {
            throw new InvalidOperationException($"Expected {expected}, found {found}.");
        }
    }

    /// <summary>The shortest time of some: what the code takes where nothing else got in its way.</summary>
    private sealed class Best
    {
        private double _seconds = double.MaxValue;

        public double Rate => FileBytes / 1048576.0 / _seconds;

        public T Time<T>(Func<T> work)
        {
            var start = Stopwatch.GetTimestamp();
            var result = work();
            _seconds = Math.Min(_seconds, Stopwatch.GetElapsedTime(start).TotalSeconds);
            return result;
        }

        public async Task<T> TimeAsync<T>(Func<Task<T>> work)
        {
            var start = Stopwatch.GetTimestamp();
            var result = await work();
            _seconds = Math.Min(_seconds, Stopwatch.GetElapsedTime(start).TotalSeconds);
            return result;
        }
    }
}
