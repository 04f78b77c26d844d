using System.Diagnostics;
using System.Text;

namespace MeshLedger.Machines.Tests;

public sealed class HostileGuestTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly Machines _machines = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => _machines.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task A_program_that_eats_the_guests_memory_is_told_from_one_that_was_killed()
    {
        var result = await _machines.RunAsync(Machines.Request("eater") with { MemoryMb = 128 });

        Assert.Equal(MicroVmOutcome.OutOfMemory, result.Outcome);
        Assert.Equal("The program was killed because the guest's memory of 128 MB was full.", result.Reason);
        Assert.InRange(result.GuestPeakBytes!.Value, 16 << 20, 128 << 20);
    }

    [Fact]
    public async Task A_fork_bomb_ends_with_the_program_that_started_it()
    {
        // 512 processes share one emulated processor: how soon the first of them has its turn is the host's affair.
        var result = await _machines.RunAsync(Machines.Request("forkbomb", seconds: 600));

        Assert.Equal((MicroVmOutcome.Exited, 0), (result.Outcome, result.ExitCode));
        Assert.Equal("the first of them ends\n", Encoding.UTF8.GetString(result.Stdout.Bytes.Span));
    }

    [Fact]
    public async Task A_program_cannot_forge_its_result()
    {
        var result = await _machines.RunAsync(Machines.Request("forger") with
        {
            Files = ["/link", "/../job", "/folder", "../../job"],
        });

        Assert.Equal(
            "init is closed\njob is out of reach\nport is refused\ninit cannot be killed\n",
            Encoding.UTF8.GetString(result.Stdout.Bytes.Span));
        Assert.Equal((MicroVmOutcome.Signalled, 11), (result.Outcome, result.Signal));
        Assert.All(result.Files, file => Assert.Null(file.Content));
    }

    [Fact]
    public async Task What_is_no_static_program_is_refused_with_its_reason_before_a_machine_starts()
    {
        var script = await RunBytesAsync("#!/bin/sh\necho hello\n"u8.ToArray());
        var dynamic = await RunBytesAsync(await File.ReadAllBytesAsync("/usr/bin/setsid"));
        var cut = await RunBytesAsync(Machines.Guest("hello")[..100]);
        var arm = Machines.Guest("hello");
        arm[18] = 183;

        Assert.All((MicroVmResult[])[script, dynamic, cut, await RunBytesAsync(arm)],
            result => Assert.Equal(MicroVmOutcome.NotExecutable, result.Outcome));
        Assert.Contains("no ELF file", script.Reason, StringComparison.Ordinal);
        Assert.Contains("not static", dynamic.Reason, StringComparison.Ordinal);
        Assert.Contains("damaged", cut.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_the_guests_kernel_will_not_start_is_not_executable()
    {
        var result = await _machines.RunAsync(Machines.Request("hello") with
        {
            Arguments = [.. Enumerable.Repeat(new string('a', 130_000), 40)],
        });

        Assert.Equal(MicroVmOutcome.NotExecutable, result.Outcome);
        Assert.Contains("arguments and variables are too long", result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_memory_that_cannot_hold_the_program_is_refused_with_the_number_that_can()
    {
        var program = new byte[30 << 20];
        Machines.Guest("hello").CopyTo(program, 0);
        var request = Machines.Request("hello") with { Program = program, MemoryMb = 128 };

        var result = await _machines.RunAsync(request);
        Assert.Equal(MicroVmOutcome.OutOfMemory, result.Outcome);
        Assert.Contains("give it 173 MB", result.Reason, StringComparison.Ordinal);

        var enough = await _machines.RunAsync(request with { MemoryMb = 173 });
        Assert.Equal((MicroVmOutcome.Exited, 0), (enough.Outcome, enough.ExitCode));
    }

    [Fact]
    public async Task A_kernel_that_runs_out_of_memory_by_itself_is_told_from_one_that_fails()
    {
        // Past the check that refuses it before boot: the archive does not fit what the kernel has.
        var program = new byte[60 << 20];
        Machines.Guest("hello").CopyTo(program, 0);
        var result = await MicroVm.RunAsync(_machines.Host,
            Machines.Request("hello", 30) with { Program = program, MemoryMb = 128 }, "tcg", CancellationToken.None);

        Assert.Equal(MicroVmOutcome.OutOfMemory, result.Outcome);
        Assert.Contains("too small for its kernel", result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_QEMU_dies_the_result_says_so()
    {
        var booted = new TaskCompletionSource();
        var running = _machines.RunAsync(Machines.Request("spin") with { Booted = booted.SetResult });
        await booted.Task;

        using var qemu = Process.GetProcessById(Guests().Single());
        qemu.Kill();

        var result = await running;
        Assert.Equal(MicroVmOutcome.MachineFailed, result.Outcome);
        Assert.Contains("QEMU ended early with exit code 137", result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_ends_the_machine_and_removes_its_directory()
    {
        using var cancelling = new CancellationTokenSource();
        var request = Machines.Request("spin") with { Booted = cancelling.Cancel };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => MicroVm.RunAsync(_machines.Host, request, cancelling.Token));

        Assert.Empty(Guests());
        Assert.Empty(Directory.GetDirectories(_machines.RunDirectory, "vm-*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Disposing_the_host_ends_its_machines()
    {
        var booted = new TaskCompletionSource();
        var running = _machines.RunAsync(Machines.Request("spin") with { Booted = booted.SetResult });
        await booted.Task;

        await _machines.Host.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(Guests());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _machines.RunAsync(Machines.Request("hello")));
    }

    [Fact]
    public async Task QEMU_runs_without_rights_in_a_session_of_its_own()
    {
        var booted = new TaskCompletionSource();
        using var cancelling = new CancellationTokenSource();
        var running = MicroVm.RunAsync(_machines.Host,
            Machines.Request("spin") with { Booted = booted.SetResult }, cancelling.Token);
        await booted.Task;

        var process = Guests().Single();
        var status = (await File.ReadAllLinesAsync($"/proc/{process}/status"))
            .Select(line => line.Split(":\t")).ToDictionary(parts => parts[0], parts => parts[^1].Trim());
        Assert.Equal("1", status["NoNewPrivs"]);
        Assert.Equal("2", status["Seccomp"]);
        Assert.Equal("0000000000000000", status["CapEff"]);
        if (Environment.IsPrivilegedProcess)
        {
            var numbers = status["Uid"].Split('\t').Distinct().Select(int.Parse).ToList();
            Assert.InRange(numbers.Single(), 0x7000_0000, 0x7FFF_FFFE);
            Assert.Equal(status["Uid"], status["Gid"]);
            Assert.Equal("", status["Groups"]);
            var directory = new FileInfo($"/proc/{process}/cwd").LinkTarget!;
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupExecute, File.GetUnixFileMode(directory));
        }

        var stat = (await File.ReadAllTextAsync($"/proc/{process}/stat")).Split(") ")[1].Split(' ');
        Assert.Equal($"{process} {process}", $"{stat[2]} {stat[3]}");
        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private Task<MicroVmResult> RunBytesAsync(byte[] program) =>
        _machines.RunAsync(Machines.Request("hello") with { Program = program });

    /// <summary>The QEMUs whose working directory is below this test's own.</summary>
    private List<int> Guests() => GuestProcesses.Below(_machines.RunDirectory);
}

internal static class GuestProcesses
{
    public static List<int> Below(string directory) => [.. Directory.EnumerateDirectories("/proc")
        .Select(path => int.TryParse(Path.GetFileName(path), out var process) ? process : 0)
        .Where(process => process > 0 && WorkingDirectory(process)?.StartsWith(directory + "/",
            StringComparison.Ordinal) == true)];

    private static string? WorkingDirectory(int process)
    {
        try
        {
            return new FileInfo($"/proc/{process}/cwd").LinkTarget;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
