using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Machines.Tests;

/// <summary>The host that the tests of one class share, and the guest programs. At most two classes run at once.
/// </summary>
public sealed class Machines(TimeProvider? time = null) : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("meshledger-machines-").FullName;
    private MicroVmHost? _host;

    /// <summary>Skips the test where QEMU is missing, but fails it in CI, where it must not be.</summary>
    public MicroVmHost Host
    {
        get
        {
            try
            {
                return _host ??= MicroVmHost.Find(
                    MicroVmHostOptions.FromEnvironment(_directory) with { Accelerator = "tcg" },
                    time ?? TimeProvider.System, NullLogger.Instance);
            }
            catch (MachinesUnavailableException missing) when (Environment.GetEnvironmentVariable("CI") != "true")
            {
                throw new InvalidOperationException("$XunitDynamicSkip$" + missing.Message);
            }
        }
    }

    public string RunDirectory => _directory;

    public static byte[] Guest(string name) =>
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "guests", name + ".elf"));

    public static MicroVmRequest Request(string guest, double seconds = 60) => new()
    {
        Program = Guest(guest),
        TimeLimit = TimeSpan.FromSeconds(seconds),
    };

    public Task<MicroVmResult> RunAsync(MicroVmRequest request) =>
        MicroVm.RunAsync(Host, request, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        if (Directory.Exists(_directory))
        {
            Assert.Empty(Directory.GetDirectories(_directory));
            Directory.Delete(_directory, recursive: true);
        }
    }
}

/// <summary>The time of day, but one length of time passes only when the test says so, however busy the computer is.
/// </summary>
public sealed class HeldClock(TimeSpan held) : TimeProvider
{
    private readonly Lock _lock = new();
    private Action? _due;

    public void Pass()
    {
        lock (_lock)
        {
            _due!();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != held)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        lock (_lock)
        {
            _due = () => callback(state);
        }

        return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
