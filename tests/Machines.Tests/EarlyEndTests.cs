
namespace MeshLedger.Machines.Tests;

public sealed class EarlyEndTests
{
    [Theory]
    [InlineData("[    1.1] Kernel panic - not syncing: System is deadlocked on memory", MicroVmOutcome.OutOfMemory)]
    [InlineData("[    1.1] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled",
        MicroVmOutcome.OutOfMemory)]
    [InlineData("[    0.9] Kernel panic - not syncing: No working init found.", MicroVmOutcome.KernelPanic)]
    [InlineData("[    0.9] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
        MicroVmOutcome.KernelPanic)]
    [InlineData("", MicroVmOutcome.MachineFailed)]
    public void What_the_kernel_said_last_tells_its_panics_apart(string console, MicroVmOutcome expected)
    {
        var (outcome, reason) = MicroVm.JudgeEarlyEnd("earlier\n" + console + "\r\n", (0, ""));

        Assert.Equal(expected, outcome);
        Assert.DoesNotContain('\n', reason);
        Assert.Contains(console, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_QEMU_said_is_part_of_the_reason()
    {
        var (outcome, reason) = MicroVm.JudgeEarlyEnd("", (1, "qemu-system-x86_64: no room\nmore\n"));
        Assert.Equal((MicroVmOutcome.MachineFailed, "QEMU ended early with exit code 1: qemu-system-x86_64: no room"),
            (outcome, reason));
    }
}
