using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Machines;

internal static partial class Log
{
    [LoggerMessage(5001, LogLevel.Information,
        "Machines: {Qemu} {Version}, kernel {Kernel} (sha256 {Sha256}, unpacked on the host: {Unpacked})")]
    public static partial void HostFound(
        ILogger logger, string qemu, string version, string kernel, Digest sha256, bool unpacked);

    [LoggerMessage(5002, LogLevel.Information, "Machines run under TCG: there is no /dev/kvm")]
    public static partial void KvmAbsent(ILogger logger);

    [LoggerMessage(5003, LogLevel.Information,
        "Probed KVM with a real guest: boots = {Boots} after {Seconds:F1} s ({Reason}); without it, TCG is used")]
    public static partial void KvmProbed(ILogger logger, bool boots, double seconds, string reason);

    [LoggerMessage(5004, LogLevel.Debug, "Machine {Directory}: {Outcome} after {Seconds:F2} s under {Engine}: {Reason}")]
    public static partial void MachineEnded(
        ILogger logger, string directory, MicroVmOutcome outcome, double seconds, string engine, string reason);

    [LoggerMessage(5005, LogLevel.Warning, "A listener to a machine's output failed, and hears no more of it")]
    public static partial void ListenerFailed(ILogger logger, Exception failure);

    [LoggerMessage(5006, LogLevel.Warning,
        "A listener to a machine's output was still busy {Seconds:F0} s after its end, and hears no more of it")]
    public static partial void ListenerTooSlow(ILogger logger, double seconds);

    [LoggerMessage(5007, LogLevel.Information, "All QEMUs run as the user {User}, not each as one of its own")]
    public static partial void MachinesShareUser(ILogger logger, string user);
}
