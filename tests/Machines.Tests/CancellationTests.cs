using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Machines.Tests;

public sealed class CancellationTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(2);

    private readonly Machines _machines = new();
    private readonly CancellationTokenSource _cancelling = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _cancelling.Dispose();
        return _machines.DisposeAsync();
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task Before_the_start_nothing_is_started()
    {
        await _cancelling.CancelAsync();
        var booted = false;
        await EndsAsync(Start(_machines.Host, Machines.Request("spin") with { Booted = () => booted = true }));
        Assert.False(booted);
    }

    [Fact]
    public async Task While_the_process_is_being_started()
    {
        var running = Start(_machines.Host, Machines.Request("spin"));
        await UntilAsync(running, () => Guests().Count > 0);
        await EndsAsync(running);
    }

    [Fact]
    public async Task While_the_kernel_boots()
    {
        var running = Start(_machines.Host, Machines.Request("spin"));
        await UntilAsync(running, () => CpuTicks() > 20);
        await EndsAsync(running);
    }

    [Fact]
    public async Task While_the_guest_unpacks_its_kernel()
    {
        // With a wrong total at the end the host leaves the kernel packed, and the guest has to unpack it.
        var directory = Directory.CreateTempSubdirectory("meshledger-kernel-").FullName;
        try
        {
            var path = Path.Combine(directory, "vmlinuz");
            await File.WriteAllBytesAsync(path, Repacked(await File.ReadAllBytesAsync(Path.Combine("/boot",
                Directory.GetFiles("/boot", "vmlinuz-*-cloud-amd64").Order(StringComparer.Ordinal).Last()))));
            _ = _machines.Host;
            await using var host = MicroVmHost.Find(
                new MicroVmHostOptions { RunDirectory = _machines.RunDirectory, Kernel = path, Accelerator = "tcg" },
                TimeProvider.System, NullLogger.Instance);
            var running = Start(host, Machines.Request("spin"));
            await UntilAsync(running, () => CpuTicks() > 20);
            await EndsAsync(running);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task While_the_program_spins()
    {
        var heard = new Heard();
        var running = Start(_machines.Host, Machines.Request("spin") with { Vcpus = 2, Output = heard.Listen });
        await heard.AtLeastAsync(MicroVmStream.Stdout, 1);
        await EndsAsync(running);
    }

    [Fact]
    public async Task While_the_program_floods_its_outputs()
    {
        var heard = new Heard();
        var running = Start(_machines.Host, Machines.Request("endless") with
        {
            Output = heard.Listen,
            OutputBytes = MicroVmRequest.MaxOutputBytes,
        });
        await heard.AtLeastAsync(MicroVmStream.Stdout, 200_000);
        await EndsAsync(running);
    }

    [Fact]
    public async Task While_a_listener_is_stuck()
    {
        var entered = new TaskCompletionSource();
        using var release = new ManualResetEventSlim();
        var left = new TaskCompletionSource();
        var running = Start(_machines.Host, Machines.Request("spin") with
        {
            Output = (_, _) =>
            {
                entered.SetResult();
                release.Wait();
                left.SetResult();
            },
        });
        await entered.Task;
        await EndsAsync(running);
        release.Set();
        await left.Task;
    }

    [Fact]
    public async Task While_files_are_collected()
    {
        var running = Start(_machines.Host, Machines.Request("hoard") with
        {
            Files = ["/hoard"],
            OutputBytes = MicroVmRequest.MaxOutputBytes,
        });

        // The program wrote five bytes; what QEMU writes beyond that is the file.
        await UntilAsync(running, () => Written() > 200_000);
        await EndsAsync(running);
    }

    private Task<MicroVmResult> Start(MicroVmHost host, MicroVmRequest request) =>
        Task.Run(() => MicroVm.RunAsync(host, request, _cancelling.Token));

    /// <summary>Cancels; when the run has ended, the process is gone and the directory too.</summary>
    private async Task EndsAsync(Task<MicroVmResult> running)
    {
        var guests = Guests();
        var start = Stopwatch.GetTimestamp();
        await _cancelling.CancelAsync();
        foreach (var guest in guests)
        {
            while (Alive(guest))
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < Bound, "The guest outlived its cancellation.");
                await Task.Delay(1);
            }
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(Guests());
        Assert.Empty(Directory.GetDirectories(_machines.RunDirectory, "vm-*", SearchOption.AllDirectories));
    }

    private static async Task UntilAsync(Task running, Func<bool> holds)
    {
        // There is no signal from within another process.
        while (!holds())
        {
            Assert.False(running.IsCompleted, "The run ended before it was cancelled.");
            await Task.Delay(2);
        }
    }

    private static byte[] Repacked(byte[] image)
    {
        var start = ((image[0x1f1] + 1) * 512) + BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(0x248));
        var end = start + BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(0x24c));
        image[end - 1] ^= 1;
        return image;
    }

    private List<int> Guests() => GuestProcesses.Below(_machines.RunDirectory);

    // A zombie runs no more.
    private static bool Alive(int process) => Stat(process) is [var state, ..] && state is not ("Z" or "X");

    private long CpuTicks() => Guests().Select(process => Stat(process) is { Length: > 12 } stat
        ? long.Parse(stat[11], CultureInfo.InvariantCulture) + long.Parse(stat[12], CultureInfo.InvariantCulture)
        : 0).Sum();

    private long Written() => Guests().Sum(process => Read($"/proc/{process}/io")?.Split('\n')
        .Where(line => line.StartsWith("wchar: ", StringComparison.Ordinal))
        .Sum(line => long.Parse(line["wchar: ".Length..], CultureInfo.InvariantCulture)) ?? 0);

    private static string[]? Stat(int process) => Read($"/proc/{process}/stat")?.Split(") ")[^1].Split(' ');

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
