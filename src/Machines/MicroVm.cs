using System.Globalization;

namespace MeshLedger.Machines;

/// <summary>Runs one program in a machine that is made for it and gone afterwards.</summary>
public static class MicroVm
{
    private const int PipeBytes = 64 * 1024;
    private const long EmulatorBytes = 4L << 30;
    private const int KernelMb = 80;
    private const int SigKill = 9;
    private const int NoMemory = 12;

    // What the kernel does at boot is most of a short run's time. Each of these leaves out something that a machine
    // without devices has no use for: tests of its ciphers, a search for PCI, for more serial ports, for the clock's
    // speed, and the rewriting of its own code for one processor.
    private const string CommandLine =
        "console=ttyS0 loglevel=1 panic=-1 reboot=t tsc=reliable no_timer_check random.trust_cpu=on apparmor=0 audit=0 " +
        "cryptomgr.notests pci=off 8250.nr_uarts=1 noreplace-smp";

    /// <summary>
    /// Runs the request to its end. Whatever the guest does is a result; cancellation and the end of
    /// <paramref name="host"/> stop the machine and throw.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the host is being disposed.</exception>
    /// <exception cref="ArgumentException">The request is out of its limits.</exception>
    public static async Task<MicroVmResult> RunAsync(
        MicroVmHost host, MicroVmRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(request);
        request.Validate();
        var accelerator = host.ChooseAccelerator();
        if (Refuse(request) is var (outcome, reason))
        {
            return NewResult(host, accelerator, outcome, reason, TimeSpan.Zero);
        }

        return await RunAsync(host, request, accelerator, cancellationToken);
    }

    internal static async Task<MicroVmResult> RunAsync(
        MicroVmHost host, MicroVmRequest request, string accelerator, CancellationToken cancellationToken)
    {
        host.Enter();
        try
        {
            var live = request.Output is { } listener ? new LiveOutput(listener, host.Time, host.Logger) : null;
            try
            {
                using var directory = host.NewMachineDirectory();
                var result = await RunInAsync(directory, host, request, accelerator, live, cancellationToken);
                Log.MachineEnded(host.Logger, directory.Path, result.Outcome, result.Duration.TotalSeconds,
                    result.EngineName, result.Reason);
                return result;
            }
            finally
            {
                // The machine and its directory are gone by now, whatever the listener does.
                await (live?.EndAsync() ?? Task.CompletedTask);
            }
        }
        finally
        {
            host.Leave();
        }
    }

    private static async Task<MicroVmResult> RunInAsync(
        MachineDirectory directory, MicroVmHost host, MicroVmRequest request, string accelerator, LiveOutput? live,
        CancellationToken cancellationToken)
    {
        var start = host.Time.GetTimestamp();
        cancellationToken.ThrowIfCancellationRequested();
        await using (var archive = directory.Create("initramfs"))
        {
            Initramfs.Write(archive, request);
        }

        var account = host.NewAccount();
        directory.GiveTo(account);
        using var limit = new CancellationTokenSource(request.TimeLimit, host.Time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(
            limit.Token, cancellationToken, host.Stopping);
        var record = new GuestRecord(request.OutputBytes, request.Files);
        TimeSpan? bootTime = null;
        long? hostPeak = null;
        string? malformed = null;
        (int ExitCode, string Stderr) exit;

        cancellationToken.ThrowIfCancellationRequested();
        var confinement = Confine(directory.Path, account, host, request, accelerator);
        await using (var qemu = await ConfinedProcess.StartAsync(confinement))
        {
            await using (ending.Token.Register(() =>
            {
                hostPeak = qemu.PeakBytes();
                qemu.Kill();
            }))
            {
                try
                {
                    await ReadAsync(qemu.Stdout, record, live, () =>
                    {
                        bootTime = host.Time.GetElapsedTime(start);
                        request.Booted?.Invoke();
                    });
                }
                catch (GuestRecordException attack)
                {
                    malformed = attack.Message;
                }

                if (record.Ending is not null || malformed is not null)
                {
                    hostPeak = qemu.PeakBytes();
                    qemu.Kill();
                }

                exit = await qemu.WaitAsync(CancellationToken.None);
            }
        }

        if (record.Ending is null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            host.Stopping.ThrowIfCancellationRequested();
        }

        var (outcome, reason) = malformed is not null
            ? (MicroVmOutcome.MachineFailed, $"The guest sent what is no record: {malformed}.")
            : record.Ending is { } ended ? Judge(ended, request)
            : limit.IsCancellationRequested ? (MicroVmOutcome.TimedOut, string.Create(CultureInfo.InvariantCulture,
                $"The time limit of {request.TimeLimit.TotalSeconds:0.###} s passed."))
            : JudgeEarlyEnd(directory.ReadConsole(), exit);
        return NewResult(host, accelerator, outcome, reason, host.Time.GetElapsedTime(start)) with
        {
            ExitCode = record.Ending is { Kind: GuestEnd.Exited } exited ? exited.Code : null,
            Signal = record.Ending is { Kind: GuestEnd.Signalled } signalled ? signalled.Code : null,
            Stdout = record.Stdout,
            Stderr = record.Stderr,
            Files = record.Files,
            GuestPeakBytes = record.Ending?.PeakBytes,
            HostPeakBytes = hostPeak,
            BootTime = bootTime,
        };
    }

    private static async Task ReadAsync(Stream stdout, GuestRecord record, LiveOutput? live, Action spoke)
    {
        var buffer = new byte[PipeBytes];
        int count;
        while (record.Ending is null && (count = await stdout.ReadAsync(buffer)) > 0)
        {
            var before = record.Spoke;
            try
            {
                record.Add(buffer.AsSpan(0, count));
            }
            finally
            {
                live?.Keep(record.Stdout.Bytes, record.Stderr.Bytes);
            }

            if (record.Spoke && !before)
            {
                spoke();
            }
        }
    }

    private static Confinement Confine(
        string directory, UnixAccount? account, MicroVmHost host, MicroVmRequest request, string accelerator) =>
        new(host.Qemu,
        [
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-M", "microvm,acpi=off,rtc=on", "-accel", Acceleration(accelerator),
            "-m", request.MemoryMb.ToString(CultureInfo.InvariantCulture),
            "-smp", request.Vcpus.ToString(CultureInfo.InvariantCulture),
            "-chardev", "stdio,id=channel,signal=off", "-device", "isa-debugcon,iobase=0xe9,chardev=channel",
            "-serial", "file:console.log",
            "-kernel", "../kernel", "-initrd", "initramfs", "-append", CommandLine,
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ],
        directory)
        {
            Account = account,
            ExtraGroup = accelerator == "kvm" ? Linux.FindGroup("kvm") : null,
            AddressSpaceBytes = ((long)request.MemoryMb << 20) + EmulatorBytes,
        };

    // Translated code would otherwise be kept up to a gigabyte, which a guest could fill.
    private static string Acceleration(string accelerator) => accelerator == "tcg" ? "tcg,tb-size=64" : accelerator;

    private static (MicroVmOutcome Outcome, string Reason)? Refuse(MicroVmRequest request)
    {
        if (ElfProgram.Refuse(request.Program.Span) is { } fault)
        {
            return (MicroVmOutcome.NotExecutable, $"The program cannot run: {fault}.");
        }

        // The archive is in memory twice at boot, and what it unpacks to may fill half of the guest's memory.
        var archiveMb = ((request.Program.Length + request.Stdin.Length + request.Inputs.Sum(input => input.Size)) >> 20) + 1;
        var needed = KernelMb + (3 * archiveMb);
        return request.MemoryMb < needed
            ? (MicroVmOutcome.OutOfMemory, string.Create(CultureInfo.InvariantCulture,
                $"The guest's memory of {request.MemoryMb} MB is too small for this program and its inputs: give it {needed} MB."))
            : null;
    }

    private static (MicroVmOutcome Outcome, string Reason) Judge(GuestEnding ending, MicroVmRequest request) =>
        ending switch
        {
            { Kind: GuestEnd.Exited } =>
                (MicroVmOutcome.Exited, $"The program ended with exit code {ending.Code}."),
            { Kind: GuestEnd.Signalled, Code: SigKill, OomKills: > 0 } => (MicroVmOutcome.OutOfMemory,
                $"The program was killed because the guest's memory of {request.MemoryMb} MB was full."),
            { Kind: GuestEnd.Signalled } =>
                (MicroVmOutcome.Signalled, $"Signal {ending.Code}{SignalName(ending.Code)} ended the program."),
            { Kind: GuestEnd.NotStarted, Code: NoMemory } => (MicroVmOutcome.OutOfMemory,
                $"The guest's memory of {request.MemoryMb} MB is too small to start the program."),
            { Kind: GuestEnd.NotStarted, Code: 7 } => (MicroVmOutcome.NotExecutable,
                "The guest's kernel would not start the program: its arguments and variables are too long."),
            { Kind: GuestEnd.NotStarted } => (MicroVmOutcome.NotExecutable,
                $"The guest's kernel would not start the program (errno {ending.Code})."),
            _ => (MicroVmOutcome.MachineFailed, $"The guest's init could not prepare the run (step {ending.Code})."),
        };

    private static string SignalName(int signal) => signal switch
    {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic)",
        9 => " (kill)",
        11 => " (segmentation fault)",
        13 => " (broken pipe)",
        15 => " (terminate)",
        _ => "",
    };

    internal static (MicroVmOutcome Outcome, string Reason) JudgeEarlyEnd(
        string console, (int ExitCode, string Stderr) exit)
    {
        var panic = console.Split('\n').FirstOrDefault(line =>
            line.Contains("Kernel panic", StringComparison.Ordinal))?.Trim();
        if (panic is not null)
        {
            return console.Contains("Out of memory", StringComparison.OrdinalIgnoreCase)
                || console.Contains("deadlocked on memory", StringComparison.Ordinal)
                ? (MicroVmOutcome.OutOfMemory, $"The guest's memory was too small for its kernel: {panic}")
                : (MicroVmOutcome.KernelPanic, $"The guest's kernel stopped: {panic}");
        }

        var said = exit.Stderr.Split('\n')[0].Trim();
        return (MicroVmOutcome.MachineFailed, string.Create(CultureInfo.InvariantCulture,
            $"QEMU ended early with exit code {exit.ExitCode}{(said.Length > 0 ? $": {said}" : ".")}"));
    }

    private static MicroVmResult NewResult(
        MicroVmHost host, string accelerator, MicroVmOutcome outcome, string reason, TimeSpan duration) => new()
        {
            Outcome = outcome,
            Reason = reason,
            Duration = duration,
            EngineName = $"qemu-microvm-{accelerator}",
            EngineVersion = host.QemuVersion,
            KernelSha256 = host.KernelSha256,
        };
}
