using System.Diagnostics;
using System.Globalization;
using System.Text;
using MeshLedger.Machines;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Benchmarks;

/// <summary>A hello-world program in our microVM, beside the bare QEMU command with a busybox that says hello; in turn.
/// </summary>
internal static class MicroVmBenchmark
{
    private const int Runs = 7;

    public static async Task RunAsync()
    {
        var directory = Directory.CreateTempSubdirectory("ml-bench-").FullName;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        try
        {
            var options = MicroVmHostOptions.FromEnvironment(Path.Combine(directory, "machines")) with { Accelerator = "tcg" };
            await using var host = MicroVmHost.Find(options, TimeProvider.System, NullLogger.Instance);
            var program = await File.ReadAllBytesAsync(Path.Combine(Repository(), "examples/guests/hello.elf"));
            var initramfs = Path.Combine(directory, "bare.cpio");
            await File.WriteAllBytesAsync(initramfs, Bare());
            var (ours, bare) = (new List<double>(), new List<double>());
            for (var i = 0; i <= Runs; i++)
            {
                var clock = Stopwatch.StartNew();
                var result = await MicroVm.RunAsync(
                    host,
                    new MicroVmRequest { Program = program, TimeLimit = TimeSpan.FromSeconds(60) },
                    CancellationToken.None);
                var mine = clock.Elapsed.TotalMilliseconds;
                if (result.Outcome != MicroVmOutcome.Exited)
                {
                    throw new InvalidOperationException($"The program did not run: {result.Reason}");
                }

                clock.Restart();
                await BareQemuAsync(host.Qemu, initramfs);
                if (i > 0)
                {
                    ours.Add(mine);
                    bare.Add(clock.Elapsed.TotalMilliseconds);
                }
            }

            ours.Sort();
            bare.Sort();
            Figure.Print("microvm_hello", ours[Runs / 2], "ms", "bare_qemu", bare[Runs / 2]);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task BareQemuAsync(string qemu, string initramfs)
    {
        var kernel = Directory.GetFiles("/boot", "vmlinuz-*-cloud-amd64").Order(StringComparer.Ordinal).Last();
        var start = new ProcessStartInfo(qemu)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var argument in (string[])
            ["-M", "microvm,acpi=off,rtc=on", "-accel", "tcg", "-m", "256", "-no-reboot", "-nodefaults", "-nographic",
             "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs, "-append",
             "console=ttyS0 quiet panic=-1 reboot=t"])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (!output.Contains("hello", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"The bare guest did not say hello: {output}");
        }
    }

    /// <summary>An initramfs (cpio, format newc) of busybox and a script.</summary>
    private static byte[] Bare()
    {
        var archive = new MemoryStream();
        void Entry(string name, int mode, byte[] content)
        {
            var bytes = Encoding.ASCII.GetBytes(name + "\0");
            var fields = new[] { 1, mode, 0, 0, 1, 0, content.Length, 0, 0, 5, 1, bytes.Length, 0 };
            archive.Write(Encoding.ASCII.GetBytes(
                "070701" + string.Concat(fields.Select(field => field.ToString("X8", CultureInfo.InvariantCulture)))));
            archive.Write(bytes);
            Align();
            archive.Write(content);
            Align();
        }

        void Align()
        {
            while (archive.Length % 4 != 0)
            {
                archive.WriteByte(0);
            }
        }

        Entry("bin", 0x41ED, []);
        Entry("dev", 0x41ED, []);
        Entry("dev/console", 0x2180, []);
        Entry("bin/busybox", 0x81ED, File.ReadAllBytes("/bin/busybox"));
        Entry("init", 0x81ED, Encoding.ASCII.GetBytes("#!/bin/busybox sh\n/bin/busybox echo hello\n/bin/busybox reboot -f\n"));
        Entry("TRAILER!!!", 0, []);
        return archive.ToArray();
    }

    private static string Repository()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "MeshLedger.sln")))
        {
            directory = Path.GetDirectoryName(directory.TrimEnd('/'))
                ?? throw new InvalidOperationException("The benchmarks run from within the repository.");
        }

        return directory;
    }
}
