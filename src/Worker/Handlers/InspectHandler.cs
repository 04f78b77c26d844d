using System.Security.Cryptography;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// <c>guestkit.inspect</c>: checks that the image is one that this worker may read and that it is what the document
/// says, and gives what qemu-img tells of it as output <c>image-info</c>. Looking inside the guest's file systems is
/// not part of this worker, and the result says so: it is never a success.
/// </summary>
public sealed class InspectHandler(IReadOnlyList<string> imageDirectories, string user, TimeProvider time)
    : IOperationHandler
{
    private const string PayloadType = "guestkit.inspect.v1";
    private const string DataPointer = "/payload/data";
    private const string ImagePointer = DataPointer + "/image";

    private static readonly string[] Formats = ["qcow2", "vmdk", "vdi", "vhdx", "raw", "img", "ova"];

    private static readonly string[] Options =
    [
        "deep_scan", "include_packages", "include_services", "include_users", "include_network", "include_security",
        "include_storage", "include_databases",
    ];

    // qemu-img and its tables; what it reads of the image it does not keep.
    private static readonly HandlerNeeds Inspection = new(0, 256, 0);

    public IReadOnlyList<string> Operations { get; } = ["guestkit.inspect"];

    public bool HasNeeds => true;

    public HandlerNeeds Needs(JobDocument document) => Inspection;

    public async Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        cancellationToken.ThrowIfCancellationRequested();
        context.Progress(new OperationProgress("validation", 500, "Checking the payload"));
        var reader = new PayloadReader();
        if (Read(context.Document, reader) is not var (path, format, checksum))
        {
            return reader.ToResult(EchoHandler.Engine, EchoHandler.Version);
        }

        if (DiskImages.Locate(path, imageDirectories) is not { } file)
        {
            return Failure("EXECUTION_ERROR", $"Image not found: {path}");
        }

        if (checksum is { } expected)
        {
            context.Progress(new OperationProgress("validation", 1_000, "Checking the image's checksum"));
            await using var stream = File.OpenRead(file);
            var found = new Digest(await SHA256.HashDataAsync(stream, cancellationToken));
            if (found != expected)
            {
                return Failure("IMAGE_CHECKSUM_MISMATCH",
                    $"Image checksum verification failed for {path}: expected {expected}, found {found}.");
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        context.Progress(new OperationProgress("inspection", 2_000, "Asking qemu-img"));
        const string unsupported = "Looking inside the image's file systems is not supported by this worker";
        if (!DiskImages.CanRead)
        {
            return Failure("OPERATION_UNSUPPORTED",
                $"{unsupported}; facts about the image need: apt-get install qemu-utils");
        }

        // An .img is raw, and an .ova is a tar archive of other images: raw is all that can be said of both.
        var info = await DiskImages.ReadAsync(
            file, format is "img" or "ova" ? "raw" : format, user, time, cancellationToken);
        return info.Json is { } json
            ? Failure("OPERATION_UNSUPPORTED", $"{unsupported}; see output image-info for the image as a whole.") with
            {
                Outputs = [new OperationOutput("image-info", json, Truncated: false)],
            }
            : Failure("EXECUTION_ERROR", $"The image {path} cannot be read as {format}: {info.Fault}.");
    }

    private static OperationResult Failure(string code, string message) => new()
    {
        EngineName = EchoHandler.Engine,
        EngineVersion = EchoHandler.Version,
        Error = new OperationError(code, message, "inspection", Recoverable: false),
    };

    private static (string Path, string Format, Digest? Checksum)? Read(JobDocument document, PayloadReader reader)
    {
        var data = document.PayloadData;
        if (document.PayloadType != PayloadType)
        {
            reader.Fault("/payload/type", $"'{PayloadType}'", $"'{document.PayloadType}'");
        }

        if (data.ValueKind != JsonValueKind.Object)
        {
            reader.Fault(DataPointer, "an object", data.ValueKind.ToString());
            return null;
        }

        var image = reader.Member(data, DataPointer, "image", JsonValueKind.Object, required: true);
        var path = image is { } present ? reader.Text(present, ImagePointer, "path", required: true) : null;
        if (path is "" || path?.Contains('\0', StringComparison.Ordinal) == true)
        {
            reader.Fault($"{ImagePointer}/path", "the path of an image", path.Length == 0 ? "an empty string" : "U+0000");
        }

        var format = image is { } described ? reader.Text(described, ImagePointer, "format", required: true) : null;
        if (format is not null && !Formats.Contains(format))
        {
            reader.Fault($"{ImagePointer}/format", $"one of {string.Join(", ", Formats)}", $"'{format}'");
        }

        Digest? checksum = null;
        if (image is { } sealedImage && reader.Text(sealedImage, ImagePointer, "checksum") is { } text)
        {
            var hex = (text.StartsWith("sha256:", StringComparison.Ordinal) ? text["sha256:".Length..] : text)
                .ToLowerInvariant();
            checksum = Digest.TryParse(hex, out var digest) ? digest : null;
            if (checksum is null)
            {
                reader.Fault($"{ImagePointer}/checksum", "'sha256:' and 64 hexadecimal characters", $"'{text}'");
            }
        }

        if (image is { } any)
        {
            reader.Member(any, ImagePointer, "read_only", JsonValueKind.True);
        }

        ReadOptions(data, reader);
        return reader.Faults.Count == 0 ? (path!, format!, checksum) : null;
    }

    private static void ReadOptions(JsonElement data, PayloadReader reader)
    {
        if (reader.Member(data, DataPointer, "options", JsonValueKind.Object) is { } options)
        {
            foreach (var name in Options)
            {
                reader.Member(options, $"{DataPointer}/options", name, JsonValueKind.True);
            }
        }

        if (reader.Member(data, DataPointer, "output", JsonValueKind.Object) is { } output
            && reader.Text(output, $"{DataPointer}/output", "format") is { } format && format is not ("json" or "yaml"))
        {
            reader.Fault($"{DataPointer}/output/format", "'json' or 'yaml'", $"'{format}'");
        }
    }
}
