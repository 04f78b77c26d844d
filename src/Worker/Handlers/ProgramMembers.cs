using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>The members that <c>vm.execute.v1</c> has for every format of program.</summary>
internal static class ProgramMembers
{
    public const string PayloadType = "vm.execute.v1";
    public const string DataPointer = "/payload/data";

    private const int MaxFiles = 64;

    /// <summary>Whether there is an object to read.</summary>
    public static bool IsRead(JobDocument document, PayloadReader reader)
    {
        if (document.PayloadType != PayloadType)
        {
            reader.Fault("/payload/type", $"'{PayloadType}'", $"'{document.PayloadType}'");
        }

        if (document.PayloadData.ValueKind != JsonValueKind.Object)
        {
            reader.Fault(DataPointer, "an object", document.PayloadData.ValueKind.ToString());
            return false;
        }

        return true;
    }

    /// <summary>The format, which is one of those that there are; <paramref name="mine"/> is what is read here.</summary>
    public static void Format(PayloadReader reader, JsonElement data, string mine)
    {
        if (reader.Text(data, DataPointer, "format", required: true) is { } found && found != mine)
        {
            reader.Fault($"{DataPointer}/format", "'elf' or 'wasm', and a worker that runs it", $"'{found}'");
        }
    }

    public static void Word(PayloadReader reader, JsonElement data, string name, string expected)
    {
        if (reader.Text(data, DataPointer, name, required: true) is { } found && found != expected)
        {
            reader.Fault($"{DataPointer}/{name}", $"'{expected}'", $"'{found}'");
        }
    }

    public static IReadOnlyList<string> Strings(PayloadReader reader, JsonElement data, string name, int most)
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

    public static Dictionary<string, string> Variables(PayloadReader reader, JsonElement data)
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

    public static List<ProgramInput> ReadInputs(PayloadReader reader, JsonElement data)
    {
        const string pointer = DataPointer + "/inputs";
        var inputs = new List<ProgramInput>();
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

            inputs.Add(new ProgramInput(
                reader.Text(entry, place, "path", required: true) ?? "", ReadHash(reader, entry, place),
                reader.Number(entry, place, "size", 0, MicroVmInput.MaxBytes)));
        }

        if (MicroVmInput.Fault([.. inputs.Select(input => input.Path)]) is { } fault)
        {
            reader.Fault($"{pointer}/{fault.Index}/path", fault.Expected, $"'{inputs[fault.Index].Path}'");
        }

        return inputs;
    }

    public static BlobHash ReadHash(PayloadReader reader, JsonElement parent, string pointer)
    {
        BlobHash hash = default;
        if (reader.Text(parent, pointer, "hash", required: true) is { } text && !BlobHash.TryParse(text, out hash))
        {
            reader.Fault($"{pointer}/hash", "64 lowercase hexadecimal characters", $"'{text}'");
        }

        return hash;
    }

    public static ReadOnlyMemory<byte> Input(PayloadReader reader, JsonElement data)
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

    public static IReadOnlyList<string> Paths(PayloadReader reader, JsonElement data)
    {
        var paths = Strings(reader, data, "files", MaxFiles);
        for (var i = 0; i < paths.Count; i++)
        {
            if (!paths[i].StartsWith('/') || paths[i].Length < 2 || paths[i].Split('/').Contains(".."))
            {
                reader.Fault($"{DataPointer}/files/{i}", "an absolute path without '..'", $"'{paths[i]}'");
            }
            else if (!OutputName.IsLegal($"files{paths[i]}"))
            {
                reader.Fault($"{DataPointer}/files/{i}", $"a path that an output can be called after: {OutputName.Expected}", "another");
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
internal sealed record ProgramInput(string Path, BlobHash Hash, long? Size);
