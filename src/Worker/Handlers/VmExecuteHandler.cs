using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Domain.Documents;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// <c>vm.execute</c> of format <c>elf</c>: runs a static x86-64 program, which is a blob, in a machine of its own. Outputs:
/// <c>stdout</c>, <c>stderr</c>, and <c>files/path</c> for every file that was asked for. Only exit code 0 with all of
/// the files is success.
/// </summary>
public sealed class VmExecuteHandler(MicroVmHost machines, BlobFetcher blobs) : IOperationHandler
{
    // The longest time that a timer takes.
    private const long MaxSeconds = 4_000_000;
    private const int MaxNamed = 5;

    private readonly ProgramBlobs _programs = new(blobs);

    public IReadOnlyList<string> Operations { get; } = ["vm.execute"];

    /// <summary>The guest's processors; its memory and QEMU's; on disk the program, its input, and every output at its
    /// cap.</summary>
    public bool HasNeeds => true;

    public HandlerNeeds Needs(JobDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        if (VmExecutePayload.Read(document, new PayloadReader()) is not { } payload)
        {
            return Needs(1, MicroVmRequest.DefaultMemoryMb, 2 * MicroVmRequest.DefaultOutputBytes);
        }

        var outputs = payload.OutputBytes * (2 + payload.Files.Count);
        var program = payload.Size ?? ProgramBlobs.MaxProgramBytes;
        var inputs = payload.Inputs.Sum(input => input.Size ?? blobs.Store.SizeOf(input.Hash) ?? 0);

        return Needs(payload.Vcpus, payload.MemoryMb, program + inputs + payload.Stdin.Length + outputs);
    }

    private static HandlerNeeds Needs(long cores, long memoryMb, long bytes) =>
        new(cores, memoryMb + MicroVmRequest.EmulatorMb, (bytes >> 20) + 1);

    public async Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Progress(new OperationProgress("validation", 0, "Checking the payload"));
        var reader = new PayloadReader();
        var payload = VmExecutePayload.Read(context.Document, reader);
        if (payload is null)
        {
            return reader.ToResult(EngineName, machines.QemuVersion);
        }

        var timeout = context.Document.Execution.TimeoutSeconds;
        BlobDamagedException? damage = null;
        for (var isSecond = false; ; isSecond = true)
        {
            var (program, inputs, error) = await _programs.FetchAsync(
                payload.Blobs, payload.Inputs, isSecond ? 1_000 : 500, context, cancellationToken);
            if (error is not null)
            {
                return NewResult(payload) with
                {
                    Error = damage is null ? error : ProgramBlobs.Error("BLOB_DAMAGED", damage.Message, recoverable: true),
                };
            }

            try
            {
                return await RunAsync(payload, program, inputs, timeout, context, cancellationToken);
            }
            catch (Exception exception) when (!isSecond && exception is BlobDamagedException or BlobNotFoundException)
            {
                // An input was damaged on this disk, which showed as it was read: it is in quarantine, and fetched anew.
                damage = exception as BlobDamagedException;
            }
            catch (BlobDamagedException damaged)
            {
                return NewResult(payload) with { Error = ProgramBlobs.Error("BLOB_DAMAGED", damaged.Message, recoverable: true) };
            }
        }
    }

    private async Task<OperationResult> RunAsync(
        VmExecutePayload payload, byte[] program, IReadOnlyList<MicroVmInput> inputs, long timeout, OperationContext context,
        CancellationToken cancellationToken)
    {
        context.Progress(new OperationProgress("boot", 1_000, "Starting the machine"));
        var run = await MicroVm.RunAsync(machines, new MicroVmRequest
        {
            Program = program,
            Arguments = payload.Arguments,
            Environment = payload.Environment,
            Stdin = payload.Stdin,
            Inputs = inputs,
            Files = payload.Files,
            Vcpus = payload.Vcpus,
            MemoryMb = payload.MemoryMb,
            OutputBytes = payload.OutputBytes,
            TimeLimit = TimeSpan.FromSeconds(Math.Clamp(timeout, 1, MaxSeconds)),
            Output = (stream, bytes) => context.Output(stream == MicroVmStream.Stdout ? "stdout" : "stderr", bytes),
            Booted = () => context.Progress(new OperationProgress("execution", 3_000, "The program runs")),
        }, cancellationToken);
        context.Progress(new OperationProgress("complete", 10_000, run.Reason));
        return NewResult(payload) with
        {
            Error = Judge(run, timeout),
            EngineName = run.EngineName,
            EngineVersion = run.EngineVersion,
            ExitCode = run.ExitCode,
            PeakMemoryBytes = run.GuestPeakBytes,
            Outputs =
            [
                new OperationOutput("stdout", run.Stdout.Bytes, run.Stdout.Truncated),
                new OperationOutput("stderr", run.Stderr.Bytes, run.Stderr.Truncated),
                .. run.Files.Where(file => file.Content is not null).Select(file => new OperationOutput(
                    $"files{file.Path}", file.Content!.Bytes, file.Content.Truncated)),
            ],
        };
    }

    private string EngineName => $"qemu-microvm-{machines.ChooseAccelerator()}";

    private static OperationError? Judge(MicroVmResult run, long timeout)
    {
        var missing = run.Files.Where(file => file.Content is null).ToList();
        return run.Outcome switch
        {
            MicroVmOutcome.Exited when run.ExitCode == 0 && missing.Count == 0 => null,
            MicroVmOutcome.Exited when run.ExitCode == 0 => Failure(
                "OUTPUT_MISSING", $"The program ended well, but {Missing(missing)}."),
            MicroVmOutcome.Exited or MicroVmOutcome.Signalled => Failure("GUEST_FAILED", run.Reason),
            MicroVmOutcome.NotExecutable => Failure("NOT_EXECUTABLE", run.Reason),
            MicroVmOutcome.OutOfMemory => Failure("GUEST_OUT_OF_MEMORY", run.Reason),
            MicroVmOutcome.TimedOut => Failure("TIMEOUT", $"Job exceeded timeout of {timeout} s", recoverable: true),
            MicroVmOutcome.KernelPanic => Failure("GUEST_KERNEL_PANIC", run.Reason, recoverable: true),
            MicroVmOutcome.MachineFailed => Failure("MACHINE_FAILED", run.Reason, recoverable: true),
            _ => throw new InvalidOperationException($"No such outcome: {run.Outcome}."),
        };
    }

    /// <summary>What the program should have written and did not: the first few, and how many more.</summary>
    internal static string Missing(IReadOnlyList<MicroVmFile> files)
    {
        var named = string.Join("; ", files.Take(MaxNamed).Select(file => $"{file.Path} is missing: {file.Missing}"));
        return files.Count > MaxNamed ? $"{named}; and {files.Count - MaxNamed} more" : named;
    }

    private static OperationError Failure(string code, string message, bool recoverable = false) =>
        new(code, message, "execution", recoverable);

    private OperationResult NewResult(VmExecutePayload payload) => new()
    {
        EngineName = EngineName,
        EngineVersion = machines.QemuVersion,
        KernelSha256 = machines.KernelSha256,
        Program = payload.Hash,
    };
}
