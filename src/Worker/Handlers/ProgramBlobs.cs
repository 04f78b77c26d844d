using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>Brings a program and its inputs here: taken from the store, else from peers.</summary>
internal sealed class ProgramBlobs(BlobFetcher blobs)
{
    /// <summary>The largest program, in bytes.</summary>
    public const long MaxProgramBytes = 64 << 20;

    public static OperationError Error(string code, string message, bool recoverable) =>
        new(code, message, "blob", recoverable);

    /// <param name="named">All that is needed, the program first.</param>
    public async Task<(byte[] Program, IReadOnlyList<MicroVmInput> Inputs, OperationError? Error)> FetchAsync(
        IEnumerable<(BlobHash Hash, long? Size)> named, IEnumerable<ProgramInput> files, int basisPoints,
        OperationContext context, CancellationToken cancellationToken)
    {
        try
        {
            var (program, programSize) = named.First();
            foreach (var (hash, size) in named)
            {
                var here = blobs.Store.SizeOf(hash);
                context.Progress(new OperationProgress(
                    "blob", basisPoints, here is null ? $"Fetching {hash}" : $"Checking {hash}"));
                if (size is { } said && here is { } has && said != has)
                {
                    return Refuse("BLOB_SIZE_MISMATCH", $"Blob {hash} has {has} bytes, the document says {said}.");
                }

                var progress = new FetchReport(context, hash, basisPoints);
                var found = (await blobs.FetchAsync(hash, size, here is null ? progress : null, cancellationToken)).Blob;
                if (found.Size > MicroVmInput.MaxBytes)
                {
                    return Refuse(
                        "INPUT_TOO_LARGE", $"Blob {hash} has {found.Size} bytes; an input may have {MicroVmInput.MaxBytes}.");
                }
            }

            if (blobs.Store.SizeOf(program) is > MaxProgramBytes and var large)
            {
                return Refuse(
                    "PROGRAM_TOO_LARGE", $"Blob {program} has {large} bytes; a program may have {MaxProgramBytes}.");
            }

            var inputs = files.Select(input => new MicroVmInput(
                input.Path, blobs.Store.SizeOf(input.Hash) ?? throw new BlobNotFoundException(input.Hash),
                () => blobs.Store.OpenRead(input.Hash))).ToList();
            return (await blobs.ReadAsync(program, programSize, cancellationToken), inputs, null);
        }
        catch (BlobNotFoundException absent)
        {
            return ([], [], Error("BLOB_NOT_FOUND", absent.Message, recoverable: true));
        }
        catch (BlobDamagedException damaged)
        {
            return ([], [], Error("BLOB_DAMAGED", damaged.Message, recoverable: true));
        }
        catch (BlobMismatchException other)
        {
            return Refuse("BLOB_SIZE_MISMATCH", other.Message);
        }
        catch (Exception full) when (full is BlobQuotaException or BlobTooLargeException)
        {
            return ([], [], Error("BLOB_NOT_KEPT", full.Message, recoverable: true));
        }

        static (byte[], IReadOnlyList<MicroVmInput>, OperationError?) Refuse(string code, string message) =>
            ([], [], Error(code, message, recoverable: false));
    }

    /// <summary>Tells how far a fetch is. There may be another after it, so the attempt's progress stays where it is.</summary>
    private sealed class FetchReport(OperationContext context, BlobHash hash, int basisPoints) : IProgress<FetchProgress>
    {
        public void Report(FetchProgress value) => context.Progress(new OperationProgress(
            "blob",
            basisPoints,
            $"Fetching {hash}: {value.Bytes >> 20} of {value.Total >> 20} MiB, {value.BytesPerSecond >> 20} MiB/s"));
    }
}
