using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Machines.Tests;

public sealed class LiveOutputTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly Machines _machines = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => _machines.DisposeAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task What_a_program_writes_is_heard_while_it_runs()
    {
        var heard = new Heard();
        using var cancelling = new CancellationTokenSource();
        var running = MicroVm.RunAsync(_machines.Host,
            Machines.Request("spin") with { Output = heard.Listen }, cancelling.Token);

        // The program never ends.
        await heard.AtLeastAsync(MicroVmStream.Stdout, "spinning\n".Length);
        Assert.False(running.IsCompleted);
        Assert.Equal("spinning\n"u8, heard[MicroVmStream.Stdout]);

        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Theory]
    [InlineData("hello", 1_000_000)]
    [InlineData("flood", 100_000)]
    public async Task All_pieces_together_are_what_is_kept(string guest, long cap)
    {
        var heard = new Heard();
        var result = await _machines.RunAsync(Machines.Request(guest) with
        {
            OutputBytes = cap,
            Stdin = new byte[1000],
            Output = heard.Listen,
        });

        Assert.Equal(MicroVmOutcome.Exited, result.Outcome);
        AssertWhole(result, heard);
    }

    [Fact]
    public async Task All_pieces_together_are_what_is_kept_at_the_time_limit()
    {
        var heard = new Heard();
        var clock = new HeldClock(TimeSpan.FromSeconds(60));
        await using var machines = new Machines(clock);
        var running = machines.RunAsync(Machines.Request("endless") with
        {
            OutputBytes = MicroVmRequest.MaxOutputBytes,
            Output = heard.Listen,
        });
        await heard.AtLeastAsync(MicroVmStream.Stderr, 100_000);
        clock.Pass();

        var result = await running;
        Assert.Equal(MicroVmOutcome.TimedOut, result.Outcome);
        AssertWhole(result, heard);
    }

    [Fact]
    public async Task A_listener_that_throws_is_not_called_again_and_harms_nothing()
    {
        var calls = 0;
        var result = await _machines.RunAsync(Machines.Request("hello") with
        {
            Output = (_, _) =>
            {
                calls++;
                throw new InvalidOperationException("listener");
            },
        });

        Assert.Equal((MicroVmOutcome.Exited, 0, 1), (result.Outcome, result.ExitCode, calls));
        Assert.True(result.Stdout.Bytes.Span.StartsWith("hello\n"u8));
    }

    [Fact]
    public async Task A_listener_that_never_returns_holds_nothing_up()
    {
        using var release = new ManualResetEventSlim();
        var left = new TaskCompletionSource();
        var result = await _machines.RunAsync(Machines.Request("flood") with
        {
            OutputBytes = 100_000,
            Output = (_, _) =>
            {
                release.Wait();
                left.TrySetResult();
            },
        });

        Assert.Equal((MicroVmOutcome.Exited, 100_000), (result.Outcome, result.Stdout.Bytes.Length));
        release.Set();
        await left.Task;
    }

    [Fact]
    public async Task What_comes_while_the_listener_is_busy_is_its_next_piece()
    {
        using var entered = new SemaphoreSlim(0);
        using var release = new ManualResetEventSlim();
        var heard = new Heard();
        var live = new LiveOutput((stream, bytes) =>
        {
            heard.Listen(stream, bytes);
            entered.Release();
            release.Wait();
        }, TimeProvider.System, NullLogger.Instance);
        var bytes = new byte[MicroVmRequest.MaxLiveBytes];
        new Random(1).NextBytes(bytes);

        live.Keep(bytes.AsMemory(0, 1), default);
        await entered.WaitAsync();
        for (var length = 2; length <= bytes.Length; length++)
        {
            live.Keep(bytes.AsMemory(0, length), bytes.AsMemory(0, length / 2));
        }

        release.Set();
        await live.EndAsync();

        Assert.Equal([1, bytes.Length - 1, bytes.Length / 2], heard.Pieces.Select(piece => piece.Bytes.Length));
        Assert.Equal(bytes, heard[MicroVmStream.Stdout]);
        Assert.Equal(bytes[..(bytes.Length / 2)], heard[MicroVmStream.Stderr]);
    }

    [Fact]
    public async Task A_run_without_output_calls_nobody()
    {
        var live = new LiveOutput((_, _) => Assert.Fail("called"), TimeProvider.System, NullLogger.Instance);
        live.Keep(default, default);
        await live.EndAsync();
    }

    private static void AssertWhole(MicroVmResult result, Heard heard)
    {
        Assert.NotEqual(0, result.Stdout.Bytes.Length);
        Assert.Equal(result.Stdout.Bytes.Span, heard[MicroVmStream.Stdout]);
        Assert.Equal(result.Stderr.Bytes.Span, heard[MicroVmStream.Stderr]);
        Assert.All(heard.Pieces, piece => Assert.InRange(piece.Bytes.Length, 1, MicroVmRequest.MaxLiveBytes));
    }
}

/// <summary>A listener that remembers.</summary>
internal sealed class Heard
{
    private readonly ConcurrentQueue<(MicroVmStream Stream, byte[] Bytes)> _pieces = [];
    private readonly SemaphoreSlim _arrived = new(0);

    public IReadOnlyCollection<(MicroVmStream Stream, byte[] Bytes)> Pieces => _pieces;

    public byte[] this[MicroVmStream stream] =>
        [.. _pieces.Where(piece => piece.Stream == stream).SelectMany(piece => piece.Bytes)];

    public void Listen(MicroVmStream stream, ReadOnlyMemory<byte> bytes)
    {
        _pieces.Enqueue((stream, bytes.ToArray()));
        _arrived.Release();
    }

    public async Task AtLeastAsync(MicroVmStream stream, int length)
    {
        while (this[stream].Length < length)
        {
            await _arrived.WaitAsync(TimeSpan.FromSeconds(60));
        }
    }
}
