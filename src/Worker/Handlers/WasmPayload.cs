using System.Globalization;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Machines;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>The <c>data</c> of <c>vm.execute.v1</c> with format <c>wasm</c>: a module that is a blob, and all that its
/// outcome depends on. What is not known is refused: a limit with a slip in its name would be none.</summary>
internal sealed record WasmPayload
{
    private const string DataPointer = ProgramMembers.DataPointer;
    private const string LimitsPointer = DataPointer + "/limits";
    private const string CheckpointPointer = DataPointer + "/checkpoint";
    private const string InputDirectory = "/in/";
    private const string OutputDirectory = "/out/";
    private const int SeedBytes = 32;
    private const int PagesOfMb = 16;
    private const int MaxMemoryMb = 4096;
    private const int DefaultMemoryMb = 256;
    private const int MaxScratchMb = 1024;
    private const int MaxDirectories = 16;
    private const int DefaultScratchMb = 64;
    private const int DefaultTableEntries = 1_000_000;
    private const long MaxSeconds = 4_000_000;
    private const long MaxCheckpointSeconds = 86_400;

    /// <summary>Checkpoints are for long runs: nobody wants one more often than this.</summary>
    private const long MinCheckpointFuel = 1_000_000;

    public required BlobHash Hash { get; init; }

    /// <summary>Null if the document leaves it out; then it is not checked.</summary>
    public long? Size { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    public ReadOnlyMemory<byte> Stdin { get; init; }

    /// <summary>Blobs that the guest gets as files under <c>/in</c>.</summary>
    public IReadOnlyList<ProgramInput> Inputs { get; init; } = [];

    /// <summary>Files under <c>/out</c> without which the run has failed.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Directories of the worker's that the guest wants, by its own paths. What it finds there is the worker's.
    /// </summary>
    public IReadOnlyList<string> Directories { get; init; } = [];

    /// <summary>The exported function to call; null: <c>_start</c> if there is one, else <c>run</c>.</summary>
    public string? Entry { get; init; }
    public long? Fuel { get; init; }
    public int MemoryPages { get; init; } = DefaultMemoryMb * PagesOfMb;
    public int TableEntries { get; init; } = DefaultTableEntries;
    public int CallDepth { get; init; } = RunLimits.Default.CallDepth;

    /// <summary>How long an attempt's guest may run; null: as long as the attempt may.</summary>
    public long? Seconds { get; init; }
    public int ScratchMb { get; init; } = DefaultScratchMb;
    public long OutputBytes { get; init; } = MicroVmRequest.DefaultOutputBytes;

    /// <summary>32 bytes; null: they follow from the document.</summary>
    public byte[]? Seed { get; init; }

    /// <summary>What the guest's clock shows when it starts; null: when the document was made.</summary>
    public DateTimeOffset? Epoch { get; init; }
    public TimeSpan? CheckpointInterval { get; init; }
    public long? CheckpointFuel { get; init; }

    public int MemoryMb => (MemoryPages + PagesOfMb - 1) / PagesOfMb;

    public bool HasCheckpoints => CheckpointInterval is not null || CheckpointFuel is not null;

    /// <summary>What has to be there before it can run, program first.</summary>
    public IEnumerable<(BlobHash Hash, long? Size)> Blobs =>
        Inputs.Select(input => (input.Hash, input.Size)).Prepend((Hash, Size));

    /// <summary>Reads and checks all of it; null if <paramref name="reader"/> has faults then.</summary>
    public static WasmPayload? Read(JobDocument document, PayloadReader reader)
    {
        if (!ProgramMembers.IsRead(document, reader))
        {
            return null;
        }

        var data = document.PayloadData;
        reader.Only(
            data, DataPointer, "type", "format", "hash", "size", "args", "env", "stdin", "inputs", "files", "entry",
            "directories", "limits", "seed", "epoch", "checkpoint");
        ProgramMembers.Word(reader, data, "type", "BlobBinary");
        ProgramMembers.Format(reader, data, "wasm");
        var limits = reader.Member(data, DataPointer, "limits", JsonValueKind.Object) ?? default;
        reader.Only(
            limits, LimitsPointer, "fuel", "memory_mb", "memory_pages", "table_entries", "call_depth", "seconds",
            "scratch_mb", "output_bytes");
        var checkpoint = reader.Member(data, DataPointer, "checkpoint", JsonValueKind.Object);
        var payload = new WasmPayload
        {
            Hash = ProgramMembers.ReadHash(reader, data, DataPointer),
            Size = reader.Number(data, DataPointer, "size", 1, ProgramBlobs.MaxProgramBytes),
            Arguments = ProgramMembers.Strings(reader, data, "args", MicroVmRequest.MaxStrings - 1),
            Environment = ProgramMembers.Variables(reader, data),
            Stdin = ProgramMembers.Input(reader, data),
            Inputs = ReadInputs(reader, data),
            Files = ReadFiles(reader, data),
            Directories = ReadDirectories(reader, data),
            Entry = ReadEntry(reader, data),
            Fuel = reader.Number(limits, LimitsPointer, "fuel", 1, CanonicalJson.MaxInteger),
            MemoryPages = ReadMemory(reader, limits),
            TableEntries = (int)(reader.Number(
                limits, LimitsPointer, "table_entries", 0, RunLimits.Default.TableEntries) ?? DefaultTableEntries),
            CallDepth = (int)(reader.Number(limits, LimitsPointer, "call_depth", 1, RunLimits.Default.CallDepth)
                ?? RunLimits.Default.CallDepth),
            Seconds = reader.Number(limits, LimitsPointer, "seconds", 1, MaxSeconds),
            ScratchMb = (int)(reader.Number(limits, LimitsPointer, "scratch_mb", 0, MaxScratchMb) ?? DefaultScratchMb),
            OutputBytes = reader.Number(limits, LimitsPointer, "output_bytes", 0, MicroVmRequest.MaxOutputBytes)
                ?? MicroVmRequest.DefaultOutputBytes,
            Seed = ReadSeed(reader, data),
            Epoch = ReadEpoch(reader, data),
            CheckpointInterval = checkpoint is { } timed
                && reader.Number(timed, CheckpointPointer, "every_seconds", 1, MaxCheckpointSeconds) is { } seconds
                    ? TimeSpan.FromSeconds(seconds)
                    : null,
            CheckpointFuel = checkpoint is { } metered
                ? reader.Number(metered, CheckpointPointer, "every_fuel", MinCheckpointFuel, CanonicalJson.MaxInteger)
                : null,
        };
        if (checkpoint is { } asked)
        {
            CheckCheckpoint(reader, asked);
        }

        return reader.Faults.Count == 0 ? payload : null;
    }

    private static void CheckCheckpoint(PayloadReader reader, JsonElement checkpoint)
    {
        reader.Only(checkpoint, CheckpointPointer, "every_seconds", "every_fuel");
        var count = (checkpoint.TryGetProperty("every_seconds", out _) ? 1 : 0)
            + (checkpoint.TryGetProperty("every_fuel", out _) ? 1 : 0);
        if (count != 1)
        {
            reader.Fault(CheckpointPointer, "either every_seconds or every_fuel", count == 0 ? "neither" : "both");
        }
    }

    private static List<ProgramInput> ReadInputs(PayloadReader reader, JsonElement data)
    {
        var inputs = ProgramMembers.ReadInputs(reader, data);
        for (var i = 0; i < inputs.Count; i++)
        {
            if (!inputs[i].Path.StartsWith(InputDirectory, StringComparison.Ordinal))
            {
                reader.Fault(
                    $"{DataPointer}/inputs/{i}/path", $"a path under {InputDirectory}", $"'{inputs[i].Path}'");
            }

            reader.Only(data.GetProperty("inputs")[i], $"{DataPointer}/inputs/{i}", "path", "hash", "size");
        }

        return inputs;
    }

    private static IReadOnlyList<string> ReadFiles(PayloadReader reader, JsonElement data)
    {
        var files = ProgramMembers.Paths(reader, data);
        for (var i = 0; i < files.Count; i++)
        {
            if (!files[i].StartsWith(OutputDirectory, StringComparison.Ordinal))
            {
                reader.Fault($"{DataPointer}/files/{i}", $"a path under {OutputDirectory}", $"'{files[i]}'");
            }
        }

        return files;
    }

    private static IReadOnlyList<string> ReadDirectories(PayloadReader reader, JsonElement data)
    {
        var directories = ProgramMembers.Strings(reader, data, "directories", MaxDirectories);
        for (var i = 0; i < directories.Count; i++)
        {
            if (!GuestDirectory.IsPath(directories[i]) || directories.Take(i).Contains(directories[i]))
            {
                reader.Fault(
                    $"{DataPointer}/directories/{i}", "a path such as /data, once, none of /in, /scratch, /out", $"'{directories[i]}'");
            }
        }

        return directories;
    }

    private static string? ReadEntry(PayloadReader reader, JsonElement data)
    {
        var entry = reader.Text(data, DataPointer, "entry");
        if (entry is { Length: 0 } or { Length: > 1024 })
        {
            reader.Fault($"{DataPointer}/entry", "the name of an exported function, 1 to 1024 characters", $"{entry.Length}");
        }

        return entry;
    }

    private static int ReadMemory(PayloadReader reader, JsonElement limits)
    {
        var pages = reader.Number(limits, LimitsPointer, "memory_pages", 0, MaxMemoryMb * PagesOfMb);
        var megabytes = reader.Number(limits, LimitsPointer, "memory_mb", 1, MaxMemoryMb);
        if (pages is not null && megabytes is not null)
        {
            reader.Fault(LimitsPointer, "either memory_mb or memory_pages", "both");
        }

        return (int)(pages ?? (megabytes ?? DefaultMemoryMb) * PagesOfMb);
    }

    private static byte[]? ReadSeed(PayloadReader reader, JsonElement data)
    {
        if (reader.Text(data, DataPointer, "seed") is not { } text)
        {
            return null;
        }

        if (text.Length == 2 * SeedBytes && text.All(char.IsAsciiHexDigitLower))
        {
            return Convert.FromHexString(text);
        }

        reader.Fault($"{DataPointer}/seed", "64 lowercase hexadecimal characters", $"'{text}'");
        return null;
    }

    private static DateTimeOffset? ReadEpoch(PayloadReader reader, JsonElement data)
    {
        if (reader.Text(data, DataPointer, "epoch") is not { } text)
        {
            return null;
        }

        if (DateTimeOffset.TryParseExact(
                text, ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'"], CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var epoch)
            && epoch >= DateTimeOffset.UnixEpoch)
        {
            return epoch;
        }

        reader.Fault($"{DataPointer}/epoch", "a time from 1970 on, such as 2026-11-21T01:02:03Z", $"'{text}'");
        return null;
    }
}
