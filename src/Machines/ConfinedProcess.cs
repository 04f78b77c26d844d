using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Machines;

/// <summary>How a confined program is started.</summary>
/// <param name="Program">Absolute path.</param>
/// <param name="Arguments">As the program gets them.</param>
/// <param name="WorkingDirectory">Paths in the arguments are relative to it, so that the user that the program runs
/// as needs no way in through the directories above.</param>
internal sealed record Confinement(string Program, IReadOnlyList<string> Arguments, string WorkingDirectory)
{
    /// <summary>Null where this process has no right to become another user: then the program runs as it does.
    /// </summary>
    public required UnixAccount? Account { get; init; }

    /// <summary>A group beside the user's own, such as that of /dev/kvm.</summary>
    public int? ExtraGroup { get; init; }
    public required long AddressSpaceBytes { get; init; }
    public long FileBytes { get; init; } = 1 << 20;
}

/// <summary>
/// A program that runs as an unprivileged user, in a session of its own, with limits, and without a way to more
/// rights. Disposing ends the whole process group. The kernel ends it when this process ends, however that happens.
/// </summary>
internal sealed class ConfinedProcess : IAsyncDisposable
{
    private const int MaxProcesses = 512;
    private const int MaxOpenFiles = 256;
    private const int StderrBytes = 4096;

    // PR_SET_PDEATHSIG is sent when the thread that forked ends, not the process: so one thread forks everything, and
    // it lives as long as the process does.
    private static readonly BlockingCollection<Action> Starts = StartThread();

    private readonly Process _process;
    private readonly Task<string> _stderr;
    private readonly Lock _ending = new();
    private bool _reaped;

    private ConfinedProcess(Process process)
    {
        _process = process;
        _stderr = ReadStderrAsync(process.StandardError.BaseStream);
    }

    public int Id => _process.Id;

    public Stream Stdout => _process.StandardOutput.BaseStream;

    public static async Task<ConfinedProcess> StartAsync(Confinement confinement)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Starts.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(StartInfo(confinement))!);
            }
            catch (Exception failure) when (failure is Win32Exception or IOException or InvalidOperationException)
            {
                started.SetException(failure);
            }
        });
        var process = await started.Task;
        process.StandardInput.Close();
        return new ConfinedProcess(process);
    }

    /// <summary>Waits for the end; returns the exit code (128 and the signal if a signal ended it) and the beginning
    /// of stderr.</summary>
    public async Task<(int ExitCode, string Stderr)> WaitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        lock (_ending)
        {
            _reaped = true;
        }

        return (_process.ExitCode, await _stderr);
    }

    public long? PeakBytes() => Linux.PeakBytes(_process.Id);

    /// <summary>Ends the process group at once. May be called at any time and more than once.</summary>
    public void Kill()
    {
        lock (_ending)
        {
            if (!_reaped && !_process.HasExited)
            {
                Linux.KillGroup(_process.Id);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await WaitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static ProcessStartInfo StartInfo(Confinement confinement)
    {
        var start = new ProcessStartInfo("/usr/bin/setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = confinement.WorkingDirectory,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/bin:/bin";
        foreach (var argument in Arguments(confinement))
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private static IEnumerable<string> Arguments(Confinement confinement)
    {
        yield return "/usr/bin/prlimit";
        yield return string.Create(CultureInfo.InvariantCulture, $"--as={confinement.AddressSpaceBytes}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--fsize={confinement.FileBytes}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--nofile={MaxOpenFiles}");
        yield return "--core=0";
        if (confinement.Account is not null)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"--nproc={MaxProcesses}");
        }

        yield return "/usr/bin/setpriv";
        yield return "--no-new-privs";
        yield return "--pdeathsig=KILL";
        if (confinement.Account is var (user, group))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"--reuid={user}");
            yield return string.Create(CultureInfo.InvariantCulture, $"--regid={group}");
            yield return confinement.ExtraGroup is { } extra
                ? string.Create(CultureInfo.InvariantCulture, $"--groups={extra}")
                : "--clear-groups";
            yield return "--bounding-set=-all";
            yield return "--inh-caps=-all";
        }

        yield return confinement.Program;
        foreach (var argument in confinement.Arguments)
        {
            yield return argument;
        }
    }

    private static async Task<string> ReadStderrAsync(Stream stream)
    {
        var kept = new byte[StderrBytes];
        var buffer = new byte[StderrBytes];
        var length = 0;
        int count;
        while ((count = await stream.ReadAsync(buffer)) > 0)
        {
            var take = Math.Min(count, kept.Length - length);
            buffer.AsSpan(0, take).CopyTo(kept.AsSpan(length));
            length += take;
        }

        return System.Text.Encoding.UTF8.GetString(kept, 0, length);
    }

    private static BlockingCollection<Action> StartThread()
    {
        var starts = new BlockingCollection<Action>();
        new Thread(() =>
        {
            foreach (var start in starts.GetConsumingEnumerable())
            {
                start();
            }
        })
        {
            IsBackground = true,
            Name = "process starter",
        }.Start();
        return starts;
    }
}
