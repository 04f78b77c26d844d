using System.Security.Cryptography;
using System.Text.RegularExpressions;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Machines;

/// <summary>A program that machines need is not on this computer. The message names the command that installs it.
/// </summary>
public sealed class MachinesUnavailableException(string message) : Exception(message);

/// <summary>What a host is made of; what is not set is looked for.</summary>
public sealed record MicroVmHostOptions
{
    /// <summary>Every machine gets a private directory below this one, which is made if it is not there.</summary>
    public required string RunDirectory { get; init; }

    /// <summary>All QEMUs run as this user when the node runs as root. Null: each has a user of its own, which is
    /// nobody else's.</summary>
    public string? User { get; init; }

    /// <summary>Instead of the one on the path.</summary>
    public string? Qemu { get; init; }

    /// <summary>Instead of the newest /boot/vmlinuz-*-cloud-amd64.</summary>
    public string? Kernel { get; init; }

    /// <summary><c>auto</c>, <c>kvm</c> or <c>tcg</c>.</summary>
    public string Accelerator { get; init; } = "auto";

    /// <summary>With MESHLEDGER_QEMU, MESHLEDGER_KERNEL and MESHLEDGER_ACCEL where they are set.</summary>
    public static MicroVmHostOptions FromEnvironment(string runDirectory) => new()
    {
        RunDirectory = runDirectory,
        Qemu = Variable("MESHLEDGER_QEMU"),
        Kernel = Variable("MESHLEDGER_KERNEL"),
        Accelerator = Variable("MESHLEDGER_ACCEL") ?? "auto",
    };

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>
/// What machines on this computer are made with: QEMU and a kernel, found once. Disposing ends every machine that
/// still runs, and removes what they left on disk.
/// </summary>
public sealed partial class MicroVmHost : IAsyncDisposable
{
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(5);

    // Numbers that no user database gives out (systemd: docs/UIDS-GIDS.md), enough of them to take any at random.
    private const int FirstOwnUser = 0x7000_0000;
    private const int OwnUsers = 0x0FFF_FFFF;
    private const string SharedUser = "nobody";

    private readonly RunDirectory _directory;
    private readonly Lazy<Task<bool>> _kvm;
    private readonly CancellationTokenSource _stopping = new();
    private readonly string _accelerator;
    private readonly UnixAccount? _sharedAccount;
    private readonly Lock _countLock = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private bool _disposed;

    private MicroVmHost(MicroVmHostOptions options, string qemu, string kernel, TimeProvider time, ILogger logger)
    {
        Qemu = qemu;
        QemuVersion = ReadVersion(qemu);
        if (Linux.IsRoot && (options.User is not null || !Linux.HasAccounts(FirstOwnUser, OwnUsers)))
        {
            _sharedAccount = Linux.FindUser(options.User ?? SharedUser);
            Log.MachinesShareUser(logger, options.User ?? SharedUser);
        }

        Time = time;
        Logger = logger;
        _accelerator = options.Accelerator;
        _kvm = new Lazy<Task<bool>>(() => Task.Run(ProbeKvmAsync));
        _directory = RunDirectory.Claim(options.RunDirectory);

        var image = File.ReadAllBytes(kernel);
        KernelSha256 = Digest.OfBytes(image);
        KernelPath = Path.Combine(_directory.Path, "kernel");
        bool unpacked;
        using (var file = File.Create(KernelPath))
        {
            unpacked = KernelImage.TryUnpack(image, file);
        }

        if (!unpacked)
        {
            File.WriteAllBytes(KernelPath, image);
        }

        File.SetUnixFileMode(KernelPath, RunDirectory.Readable);
        Log.HostFound(logger, qemu, QemuVersion, kernel, KernelSha256, unpacked);
    }

    public string Qemu { get; }

    /// <summary>Such as <c>7.2.22</c>.</summary>
    public string QemuVersion { get; }

    /// <summary>Of the kernel's file as the distribution ships it.</summary>
    public Digest KernelSha256 { get; }

    internal string KernelPath { get; }

    internal TimeProvider Time { get; }

    internal ILogger Logger { get; }

    internal CancellationToken Stopping => _stopping.Token;

    /// <summary>Finds the programs, and sweeps the directories of nodes that died.</summary>
    /// <exception cref="MachinesUnavailableException">Something is missing.</exception>
    public static MicroVmHost Find(MicroVmHostOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Accelerator is not ("auto" or "kvm" or "tcg"))
        {
            throw new MachinesUnavailableException(
                $"MESHLEDGER_ACCEL is '{options.Accelerator}'; expected auto, kvm or tcg.");
        }

        // What was named is used or refused, never quietly replaced by another.
        var qemu = Existing(options.Qemu ?? "/usr/bin/qemu-system-x86_64") ?? throw Missing(
            "QEMU (qemu-system-x86_64)", options.Qemu, "MESHLEDGER_QEMU", "qemu-system-x86");
        var kernel = Existing(options.Kernel ?? NewestKernel()) ?? throw Missing(
            "a guest kernel (/boot/vmlinuz-*-cloud-amd64)", options.Kernel, "MESHLEDGER_KERNEL",
            "linux-image-cloud-amd64");
        foreach (var tool in (string[])["/usr/bin/setsid", "/usr/bin/prlimit", "/usr/bin/setpriv"])
        {
            _ = Existing(tool) ?? throw Missing(tool, null, null, "util-linux");
        }

        var user = options.User ?? SharedUser;
        if (Linux.IsRoot && Linux.FindUser(user) is null)
        {
            throw new MachinesUnavailableException($"There is no user '{user}' for QEMU to run as. Make one with: " +
                $"useradd --system --no-create-home {user}");
        }

        return new MicroVmHost(options, qemu, kernel, time, logger);
    }

    /// <summary>
    /// <c>kvm</c> if a guest was seen to boot under it, else <c>tcg</c>. The probe starts with the first call and
    /// takes up to 5 seconds; until it is known, machines run under TCG.
    /// </summary>
    public string ChooseAccelerator() => _accelerator != "auto"
        ? _accelerator
        : _kvm.Value is { IsCompletedSuccessfully: true, Result: true } ? "kvm" : "tcg";

    /// <summary>True if a guest boots under KVM here. Starts the probe, if that is not done yet, and waits for it.
    /// </summary>
    public Task<bool> KvmBootsAsync(CancellationToken cancellationToken) => _kvm.Value.WaitAsync(cancellationToken);

    /// <summary>Ends the machines. May be called more than once.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_countLock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (_running == 0)
            {
                _idle.SetResult();
            }
        }

        await _stopping.CancelAsync();
        await _idle.Task;
        _directory.Dispose();
        _stopping.Dispose();
    }

    internal MachineDirectory NewMachineDirectory() => _directory.NewMachine();

    /// <summary>Whom the next QEMU runs as; null if the node is not root, and it runs as the node does.</summary>
    internal UnixAccount? NewAccount()
    {
        if (!Linux.IsRoot || _sharedAccount is not null)
        {
            return _sharedAccount;
        }

        var number = FirstOwnUser + RandomNumberGenerator.GetInt32(OwnUsers);
        return new UnixAccount(number, number);
    }

    internal void Enter()
    {
        lock (_countLock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _running++;
        }
    }

    internal void Leave()
    {
        lock (_countLock)
        {
            _running--;
            if (_disposed && _running == 0)
            {
                _idle.SetResult();
            }
        }
    }

    private static string? Existing(string? path) => File.Exists(path) ? path : null;

    private static MachinesUnavailableException Missing(string what, string? given, string? variable, string package) =>
        new(given is null
            ? $"Machines need {what}, which is not here. Install it with: apt-get install {package}"
            : $"{variable} names {given}, which is not here. Correct it, or unset it and: apt-get install {package}");

    private static string? NewestKernel() => !Directory.Exists("/boot")
        ? null
        : Directory.EnumerateFiles("/boot", "vmlinuz-*-cloud-amd64")
            .OrderByDescending(Versions, Comparer<int[]>.Create(static (left, right) =>
                left.AsSpan().SequenceCompareTo(right)))
            .FirstOrDefault();

    private static int[] Versions(string path) =>
        [.. Number().Matches(Path.GetFileName(path)).Select(match => int.TryParse(match.Value, out var n) ? n : 0)];

    [GeneratedRegex("[0-9]+", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"version ([0-9]+(\.[0-9]+)*)", RegexOptions.CultureInvariant)]
    private static partial Regex VersionText();

    private static string ReadVersion(string qemu)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(qemu, "--version")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var match = VersionText().Match(text);
        return match.Success ? match.Groups[1].Value : throw new MachinesUnavailableException(
            $"{qemu} does not say its version. Install it again with: apt-get install --reinstall qemu-system-x86");
    }

    private async Task<bool> ProbeKvmAsync()
    {
        if (!File.Exists("/dev/kvm"))
        {
            Log.KvmAbsent(Logger);
            return false;
        }

        // No program: the guest's init speaks, finds nothing to do, and ends.
        var request = new MicroVmRequest { Program = ReadOnlyMemory<byte>.Empty, TimeLimit = ProbeLimit };
        try
        {
            var result = await MicroVm.RunAsync(this, request, "kvm", CancellationToken.None);
            var boots = result.Outcome == MicroVmOutcome.Exited;
            Log.KvmProbed(Logger, boots, result.Duration.TotalSeconds, result.Reason);
            return boots;
        }
        catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
        catch (IOException failure)
        {
            Log.KvmProbed(Logger, false, 0, failure.Message);
            return false;
        }
    }
}
