using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools;

/// <summary><c>meshledger blob add|get|has</c>: the blobs of this node's directory. No database is needed.</summary>
internal static class BlobCommands
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "Files to add; - is standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Argument<string> Hash = new("HASH") { Description = "BLAKE3, 64 hexadecimal characters." };

    private static readonly Option<string?> Target = new("--out", "-o")
    {
        Description = "Write to this file instead of standard output; it appears whole or not at all.",
        HelpName = "FILE",
    };

    public static Command Create() => new("blob", "Keep and fetch blobs: programs and large outputs, named by content.")
    {
        new Verb(
            "add", "Add files; prints the hash of each.",
            "meshledger blob add program.elf", "zcat program.elf.gz | meshledger blob add -")
        {
            Files,
        }.Does(AddAsync),
        new Verb(
            "get", "Write a blob's bytes, checked against its hash, to standard output or a file.",
            "meshledger blob get af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 -o empty.bin")
        {
            Hash, Target,
        }.Does(GetAsync),
        new Verb(
            "has", "Tell whether a blob is here: exit code 0 and its size, or exit code 3.",
            "meshledger blob has af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
        {
            Hash,
        }.Does(Has),
    };

    private static async Task<int> AddAsync(Call call)
    {
        call.Data.Make();
        var blobs = BlobDirectory.Open(call.Data.Blobs);
        var rows = new List<JsonObject>();
        foreach (var file in call.Get(Files)!)
        {
            BlobHash hash;
            if (file == "-")
            {
                await using var input = Console.OpenStandardInput();
                hash = await blobs.AddAsync(input, call.Stop);
            }
            else
            {
                hash = await blobs.AddFileAsync(file, call.Stop);
            }

            rows.Add(new JsonObject { ["hash"] = hash.ToString(), ["size"] = blobs.SizeOf(hash), ["file"] = file });
        }

        if (call.Output.IsText)
        {
            rows.ForEach(row => call.Output.Line(row.Text("hash")));
            return ExitCodes.Ok;
        }

        call.Output.Rows(rows, [], "");
        return ExitCodes.Ok;
    }

    private static async Task<int> GetAsync(Call call)
    {
        var (blobs, hash) = Open(call);
        if (call.Get(Target) is not { } target)
        {
            await using var output = Console.OpenStandardOutput();
            await blobs.CopyToAsync(hash, output, call.Stop);
            return ExitCodes.Ok;
        }

        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                await blobs.CopyToAsync(hash, file, call.Stop);
            }

            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }

        return ExitCodes.Ok;
    }

    private static Task<int> Has(Call call)
    {
        var (blobs, hash) = Open(call);
        var size = blobs.SizeOf(hash);
        call.Output.Object(
            new JsonObject { ["hash"] = hash.ToString(), ["present"] = size is not null, ["size"] = size },
            () => call.Output.Line(size is null ? "absent" : $"{size} bytes"));
        return Task.FromResult(size is null ? ExitCodes.NotFound : ExitCodes.Ok);
    }

    private static (BlobDirectory Blobs, BlobHash Hash) Open(Call call)
    {
        if (!BlobHash.TryParse(call.Get(Hash)!, out var hash))
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"'{call.Get(Hash)}' is no blob's hash: expected 64 lowercase hexadecimal characters.");
        }

        if (!Directory.Exists(call.Data.Blobs))
        {
            throw new BlobNotFoundException(hash);
        }

        return (BlobDirectory.Open(call.Data.Blobs), hash);
    }
}
