using System.Text;

namespace MeshLedger.Machines.Tests;

public sealed class MicroVmTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly Machines _machines = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => _machines.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task Outputs_exit_code_and_files_come_back_separately_and_to_the_byte()
    {
        var stdin = new byte[256];
        for (var i = 0; i < stdin.Length; i++)
        {
            stdin[i] = (byte)i;
        }

        var booted = 0;
        var result = await _machines.RunAsync(Machines.Request("hello") with
        {
            Arguments = ["42", "two words", "ünïcödé", ""],
            Environment = new Dictionary<string, string> { ["NAME"] = "value=with=signs" },
            Stdin = stdin,
            Files = ["/report.txt", "/absent", "/tmp", "/proc/self/status"],
            Booted = () => booted++,
        });

        Assert.Equal((MicroVmOutcome.Exited, 42), (result.Outcome, result.ExitCode));
        Assert.Equal(
            [.. "hello\narg 42\narg two words\narg ünïcödé\narg \nenv NAME=value=with=signs\n"u8, .. stdin],
            result.Stdout.Bytes.ToArray());
        Assert.Equal("hello, stderr\n", Text(result.Stderr));
        Assert.Equal(["/report.txt", "/absent", "/tmp", "/proc/self/status"], result.Files.Select(file => file.Path));
        Assert.Equal("file written by the guest\n", Text(result.Files[0].Content!));
        Assert.All(result.Files.Skip(1), file => Assert.Null(file.Content));
        Assert.Equal("no such file in the guest", result.Files[1].Missing);
        Assert.Equal(1, booted);
        Assert.Equal("qemu-microvm-tcg", result.EngineName);
        Assert.Matches("^[0-9]+\\.[0-9.]+$", result.EngineVersion);
        Assert.False(result.KernelSha256.IsDefault);
        Assert.InRange(result.GuestPeakBytes!.Value, 4096, 64 << 20);
        Assert.InRange(result.HostPeakBytes!.Value, 32L << 20, 2L << 30);
    }

    [Fact]
    public async Task An_output_beyond_its_cap_is_cut_at_it_and_says_so()
    {
        var result = await _machines.RunAsync(Machines.Request("flood") with
        {
            OutputBytes = 100_000,
            Files = ["/big"],
            Vcpus = 2,
        });

        Assert.Equal((MicroVmOutcome.Exited, 0), (result.Outcome, result.ExitCode));
        Assert.True(result.Stdout.Truncated);
        Assert.Equal(Counting(100_000), result.Stdout.Bytes.ToArray());
        Assert.True(result.Files[0].Content!.Truncated);
        Assert.Equal(Counting(100_000), result.Files[0].Content!.Bytes.ToArray());
        Assert.False(result.Stderr.Truncated);
    }

    [Fact]
    public async Task An_output_of_many_megabytes_is_whole_when_the_cap_allows_it()
    {
        var result = await _machines.RunAsync(Machines.Request("flood") with { OutputBytes = 3_000_000 });

        Assert.False(result.Stdout.Truncated);
        Assert.Equal(Counting(3_000_000), result.Stdout.Bytes.ToArray());
    }

    [Fact]
    public async Task A_program_ended_by_a_signal_is_no_success()
    {
        var result = await _machines.RunAsync(Machines.Request("segfault"));

        Assert.Equal((MicroVmOutcome.Signalled, 11, null), (result.Outcome, result.Signal, result.ExitCode));
        Assert.Contains("segmentation fault", result.Reason, StringComparison.Ordinal);
        Assert.Equal("about to fall\n", Text(result.Stdout));
    }

    [Fact]
    public async Task A_program_that_never_ends_is_ended_at_its_time_limit()
    {
        var clock = new HeldClock(TimeSpan.FromSeconds(4));
        await using var machines = new Machines(clock);
        var result = await machines.RunAsync(
            Machines.Request("spin", seconds: 4) with { Output = (_, _) => clock.Pass() });

        Assert.Equal(MicroVmOutcome.TimedOut, result.Outcome);
        Assert.Equal("The time limit of 4 s passed.", result.Reason);
        Assert.Equal("spinning\n", Text(result.Stdout));
    }

    [Fact]
    public async Task Output_without_end_keeps_the_beginning_until_the_time_limit()
    {
        var clock = new HeldClock(TimeSpan.FromSeconds(5));
        await using var machines = new Machines(clock);
        var heard = 0;
        var result = await machines.RunAsync(Machines.Request("endless", seconds: 5) with
        {
            OutputBytes = 10_000,
            Output = (_, bytes) =>
            {
                if (Interlocked.Add(ref heard, bytes.Length) >= 20_000)
                {
                    clock.Pass();
                }
            },
        });

        Assert.Equal(MicroVmOutcome.TimedOut, result.Outcome);
        Assert.Equal((10_000, true), (result.Stdout.Bytes.Length, result.Stdout.Truncated));
        Assert.Equal((10_000, true), (result.Stderr.Bytes.Length, result.Stderr.Truncated));
    }

    private static string Text(MicroVmOutput output) => Encoding.UTF8.GetString(output.Bytes.Span);

    private static byte[] Counting(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
        {
            bytes[i] = (byte)(i % 2510 % 251);
        }

        return bytes;
    }
}
