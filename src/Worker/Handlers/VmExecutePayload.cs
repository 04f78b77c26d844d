using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>The <c>data</c> of <c>vm.execute.v1</c>: a program that is a blob, and how to run it.</summary>
internal sealed record VmExecutePayload
{
    private const string DataPointer = ProgramMembers.DataPointer;

    public required BlobHash Hash { get; init; }

    /// <summary>Null if the document leaves it out; then it is not checked.</summary>
    public long? Size { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    public ReadOnlyMemory<byte> Stdin { get; init; }

    /// <summary>Blobs that the guest gets as files.</summary>
    public IReadOnlyList<ProgramInput> Inputs { get; init; } = [];

    /// <summary>What has to be there before it can run, program first.</summary>
    public IEnumerable<(BlobHash Hash, long? Size)> Blobs =>
        Inputs.Select(input => (input.Hash, input.Size)).Prepend((Hash, Size));
    public IReadOnlyList<string> Files { get; init; } = [];
    public int Vcpus { get; init; }
    public int MemoryMb { get; init; }
    public long OutputBytes { get; init; }

    /// <summary>Reads and checks all of it; null if <paramref name="reader"/> has faults then.</summary>
    public static VmExecutePayload? Read(JobDocument document, PayloadReader reader)
    {
        var data = document.PayloadData;
        if (!ProgramMembers.IsRead(document, reader))
        {
            return null;
        }

        ProgramMembers.Word(reader, data, "type", "BlobBinary");
        ProgramMembers.Format(reader, data, "elf");
        var hash = ProgramMembers.ReadHash(reader, data, DataPointer);
        var limits = reader.Member(data, DataPointer, "limits", JsonValueKind.Object) ?? default;
        const string limitsPointer = DataPointer + "/limits";
        var payload = new VmExecutePayload
        {
            Hash = hash,

            // An empty program cannot run, so 0 is a mistake; who does not know the size leaves it out.
            Size = reader.Number(data, DataPointer, "size", 1, ProgramBlobs.MaxProgramBytes),
            Arguments = ProgramMembers.Strings(reader, data, "args", MicroVmRequest.MaxStrings - 1),
            Environment = ProgramMembers.Variables(reader, data),
            Stdin = ProgramMembers.Input(reader, data),
            Inputs = ProgramMembers.ReadInputs(reader, data),
            Files = ProgramMembers.Paths(reader, data),
            Vcpus = (int)(reader.Number(limits, limitsPointer, "vcpus", 1, MicroVmRequest.MaxVcpus) ?? 1),
            MemoryMb = (int)(reader.Number(limits, limitsPointer, "memory_mb", MicroVmRequest.MinMemoryMb,
                MicroVmRequest.MaxMemoryMb) ?? MicroVmRequest.DefaultMemoryMb),
            OutputBytes = reader.Number(limits, limitsPointer, "output_bytes", 0, MicroVmRequest.MaxOutputBytes)
                ?? MicroVmRequest.DefaultOutputBytes,
        };
        return reader.Faults.Count == 0 ? payload : null;
    }
}
