using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>The <c>data</c> of <c>vm.execute.v1</c>: a program that is a blob, and how to run it.</summary>
internal sealed record VmExecutePayload
{
    public const string Type = "vm.execute.v1";
    public const string DataPointer = "/payload/data";

    /// <summary>The largest program, in bytes.</summary>
    public const long MaxProgramBytes = 64 << 20;

    private const int MaxFiles = 64;

    public required BlobHash Hash { get; init; }

    /// <summary>Null if the document leaves it out; then it is not checked.</summary>
    public long? Size { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    public ReadOnlyMemory<byte> Stdin { get; init; }

    /// <summary>Blobs that the guest gets as files.</summary>
    public IReadOnlyList<VmExecuteInput> Inputs { get; init; } = [];

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
        if (document.PayloadType != Type)
        {
            reader.Fault("/payload/type", $"'{Type}'", $"'{document.PayloadType}'");
        }

        if (data.ValueKind != JsonValueKind.Object)
        {
            reader.Fault(DataPointer, "an object", data.ValueKind.ToString());
            return null;
        }

        Word(reader, data, "type", "BlobBinary");
        Word(reader, data, "format", "elf");
        var hash = ReadHash(reader, data, DataPointer);
        var limits = reader.Member(data, DataPointer, "limits", JsonValueKind.Object) ?? default;
        const string limitsPointer = DataPointer + "/limits";
        var payload = new VmExecutePayload
        {
            Hash = hash,

            // An empty program cannot run, so 0 is a mistake; who does not know the size leaves it out.
            Size = reader.Number(data, DataPointer, "size", 1, MaxProgramBytes),
            Arguments = Strings(reader, data, "args", MicroVmRequest.MaxStrings - 1),
            Environment = Variables(reader, data),
            Stdin = Input(reader, data),
            Inputs = ReadInputs(reader, data),
            Files = Paths(reader, data),
            Vcpus = (int)(reader.Number(limits, limitsPointer, "vcpus", 1, MicroVmRequest.MaxVcpus) ?? 1),
            MemoryMb = (int)(reader.Number(limits, limitsPointer, "memory_mb", MicroVmRequest.MinMemoryMb,
                MicroVmRequest.MaxMemoryMb) ?? MicroVmRequest.DefaultMemoryMb),
            OutputBytes = reader.Number(limits, limitsPointer, "output_bytes", 0, MicroVmRequest.MaxOutputBytes)
                ?? MicroVmRequest.DefaultOutputBytes,
        };
        return reader.Faults.Count == 0 ? payload : null;
    }

    private static void Word(PayloadReader reader, JsonElement data, string name, string expected)
    {
        if (reader.Text(data, DataPointer, name, required: true) is { } found && found != expected)
        {
            reader.Fault($"{DataPointer}/{name}", $"'{expected}'", $"'{found}'");
        }
    }

    private static IReadOnlyList<string> Strings(PayloadReader reader, JsonElement data, string name, int most)
    {
        var texts = reader.Texts(data, DataPointer, name, most);
        for (var i = 0; i < texts.Count; i++)
        {
            CheckString(reader, $"{DataPointer}/{name}/{i}", texts[i]);
        }

        return texts;
    }

    private static void CheckString(PayloadReader reader, string pointer, string text)
    {
        if (text.Contains('\0', StringComparison.Ordinal))
        {
            reader.Fault(pointer, "a string without U+0000", "one with it");
        }
        else if (Encoding.UTF8.GetByteCount(text) > MicroVmRequest.MaxStringBytes)
        {
            reader.Fault(pointer, $"at most {MicroVmRequest.MaxStringBytes} bytes", "more");
        }
    }

    private static Dictionary<string, string> Variables(PayloadReader reader, JsonElement data)
    {
        var variables = new Dictionary<string, string>();
        const string pointer = DataPointer + "/env";
        if (reader.Member(data, DataPointer, "env", JsonValueKind.Object) is not { } env)
        {
            return variables;
        }

        foreach (var variable in env.EnumerateObject())
        {
            var place = PayloadReader.Pointer(pointer, variable.Name);
            if (variable.Name.Length == 0 || variable.Name.Contains('=', StringComparison.Ordinal))
            {
                reader.Fault(place, "a name without '=' of at least one character", $"'{variable.Name}'");
            }
            else if (reader.Text(env, pointer, variable.Name) is { } value)
            {
                CheckString(reader, place, $"{variable.Name}={value}");
                variables[variable.Name] = value;
            }
        }

        if (variables.Count > MicroVmRequest.MaxStrings)
        {
            reader.Fault(pointer, $"at most {MicroVmRequest.MaxStrings} variables", $"{variables.Count}");
        }

        return variables;
    }

    private static List<VmExecuteInput> ReadInputs(PayloadReader reader, JsonElement data)
    {
        const string pointer = DataPointer + "/inputs";
        var inputs = new List<VmExecuteInput>();
        if (reader.Member(data, DataPointer, "inputs", JsonValueKind.Array) is not { } list)
        {
            return inputs;
        }

        if (list.GetArrayLength() > MicroVmInput.MaxCount)
        {
            reader.Fault(pointer, $"at most {MicroVmInput.MaxCount} inputs", $"{list.GetArrayLength()}");
            return inputs;
        }

        foreach (var entry in list.EnumerateArray())
        {
            var place = $"{pointer}/{inputs.Count}";
            if (entry.ValueKind != JsonValueKind.Object)
            {
                reader.Fault(place, "an object with path and hash", entry.ValueKind.ToString());
                return inputs;
            }

            inputs.Add(new VmExecuteInput(
                reader.Text(entry, place, "path", required: true) ?? "", ReadHash(reader, entry, place),
                reader.Number(entry, place, "size", 0, MicroVmInput.MaxBytes)));
        }

        if (MicroVmInput.Fault([.. inputs.Select(input => input.Path)]) is { } fault)
        {
            reader.Fault($"{pointer}/{fault.Index}/path", fault.Expected, $"'{inputs[fault.Index].Path}'");
        }

        return inputs;
    }

    private static BlobHash ReadHash(PayloadReader reader, JsonElement parent, string pointer)
    {
        BlobHash hash = default;
        if (reader.Text(parent, pointer, "hash", required: true) is { } text && !BlobHash.TryParse(text, out hash))
        {
            reader.Fault($"{pointer}/hash", "64 lowercase hexadecimal characters", $"'{text}'");
        }

        return hash;
    }

    private static ReadOnlyMemory<byte> Input(PayloadReader reader, JsonElement data)
    {
        if (!data.TryGetProperty("stdin", out var stdin))
        {
            return default;
        }

        if (stdin.ValueKind == JsonValueKind.String)
        {
            return Encoding.UTF8.GetBytes(stdin.GetString()!);
        }

        if (stdin.ValueKind != JsonValueKind.Object)
        {
            reader.Fault($"{DataPointer}/stdin", "a string or {\"base64\": string}", stdin.ValueKind.ToString());
            return default;
        }

        var encoded = reader.Member(stdin, $"{DataPointer}/stdin", "base64", JsonValueKind.String, required: true);
        if (encoded is { } member && !member.TryGetBytesFromBase64(out _))
        {
            reader.Fault($"{DataPointer}/stdin/base64", "base64 (RFC 4648, section 4)", "something else");
            return default;
        }

        return encoded?.GetBytesFromBase64() ?? default;
    }

    private static IReadOnlyList<string> Paths(PayloadReader reader, JsonElement data)
    {
        var paths = Strings(reader, data, "files", MaxFiles);
        for (var i = 0; i < paths.Count; i++)
        {
            if (!paths[i].StartsWith('/') || paths[i].Length < 2 || paths[i].Split('/').Contains(".."))
            {
                reader.Fault($"{DataPointer}/files/{i}", "an absolute path without '..'", $"'{paths[i]}'");
            }
            else if (paths.Take(i).Contains(paths[i]))
            {
                reader.Fault($"{DataPointer}/files/{i}", "a path that is not in the list already", $"'{paths[i]}'");
            }
        }

        return paths;
    }
}

/// <summary>A blob that a guest gets as a file.</summary>
/// <param name="Size">Null if the document leaves it out; then it is not checked.</param>
internal sealed record VmExecuteInput(string Path, BlobHash Hash, long? Size);
