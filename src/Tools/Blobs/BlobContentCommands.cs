using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Blobs;

/// <summary><c>blob add|get|has|info|list</c>.</summary>
internal static class BlobContentCommands
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "Files to add; - is standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Argument<string> Hash = BlobCommands.NewHash();

    private static readonly Option<string?> Target = new("--out", "-o")
    {
        Description = "Write to this file instead of standard output (-); it appears whole or not at all.",
        HelpName = "FILE",
    };

    private static readonly Option<long?> Offset =
        GlobalOptions.Number("--offset", "Where to begin, in bytes (default: 0).", 0, long.MaxValue);

    private static readonly Option<long?> Length =
        GlobalOptions.Number("--length", "How many bytes (default: all that follow).", 0, long.MaxValue);

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "What people call it (default: the file's name).",
        HelpName = "NAME",
    };

    private static readonly Option<string?> ContentType = new("--content-type")
    {
        Description = "A media type, such as application/wasm.",
        HelpName = "TYPE",
    };

    private static readonly Option<string[]> Custom = new("--custom")
    {
        Description = "A pair of one's own. May be given several times.",
        HelpName = "K=V",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Tag = new("--tag")
    {
        Description = "Keep it alive by this tag.",
        HelpName = "TAG",
    };

    private static readonly Option<string?> After = new("--after")
    {
        Description = "List what follows this hash.",
        HelpName = "HASH",
    };

    private static readonly Option<int?> Limit =
        GlobalOptions.Number("--limit", "How many at most (default: 100).", 1, BlobStore.MaxPage);

    private static readonly Option<bool> Tagged = new("--tagged") { Description = "Only those that a tag keeps alive." };

    private static readonly Option<string?> State = new("--state")
    {
        Description = "Only those: complete, partial (being fetched) or quarantined (damaged).",
        HelpName = "STATE",
    };

    public static Command[] Verbs =>
    [
        new Verb(
            "add", "Add files; prints the hash of each.",
            "meshledger blob add program.elf --tag tools/hello", "zcat program.elf.gz | meshledger blob add - --name program.elf")
        {
            Files, Name, ContentType, Custom, Tag,
        }.Does(AddAsync),
        new Verb(
            "get", "Write a blob's bytes, verified as they are read, to standard output or a file.",
            "meshledger blob get af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 -o empty.bin",
            "meshledger blob get af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 --offset 0 --length 16")
        {
            Hash, Target, Offset, Length,
        }.Does(GetAsync),
        new Verb(
            "has", "Tell whether a blob is here: exit code 0 and its size, or exit code 3.",
            "meshledger blob has af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
        {
            Hash,
        }.Does(Has),
        new Verb(
            "info", "Show what the store has of a blob: its size, state, metadata and tags.",
            "meshledger blob info af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
        {
            Hash,
        }.Does(Info),
        new Verb(
            "list", "List the store's blobs in the order of their hashes, and its totals.",
            "meshledger blob list", "meshledger blob list --tagged", "meshledger blob list --state quarantined")
        {
            Tagged, State, After, Limit,
        }.Does(List),
    ];

    private static async Task<int> AddAsync(Call call)
    {
        var files = call.Get(Files)!;
        var tag = call.Get(Tag) is { } text ? BlobCommands.Tag(text) : (BlobTag?)null;
        if (files.Length > 1 && (tag is not null || call.Get(Name) is not null))
        {
            throw new CommandFailure(ExitCodes.Usage, "--tag and --name are for one file at a time.");
        }

        var additions = files.Select(file => (File: file, Addition: new BlobAddition { Metadata = Metadata(call, file), Tag = tag }))
            .ToList();
        if (additions.Select(one => one.Addition.Metadata.Fault()).FirstOrDefault(fault => fault is not null) is { } wrong)
        {
            throw new CommandFailure(ExitCodes.Usage, wrong);
        }

        var blobs = BlobCommands.Open(call);
        var rows = new List<JsonObject>();
        foreach (var (file, addition) in additions)
        {
            await using var input = InputFile.OpenOrInput(file);
            var total = file == "-" || !input.CanSeek ? (long?)null : input.Length;
            var added = await BlobBars.RunAsync(call, Path.GetFileName(file), total, report =>
                blobs.AddAsync(new CountedStream(input, report), addition, call.Stop));
            if (added.Size == 0 && file == "-")
            {
                Messages.Say("standard input was empty: the blob of no bytes was added.");
            }

            rows.Add(new JsonObject
            {
                ["hash"] = added.Hash.ToString(),
                ["size"] = added.Size,
                ["was_new"] = added.WasNew,
                ["file"] = file,
            });
        }

        if (call.Output.IsText)
        {
            rows.ForEach(row => call.Output.Line(row.Text("hash")));
            return ExitCodes.Ok;
        }

        call.Output.Rows(rows, [], "");
        return ExitCodes.Ok;
    }

    private static BlobMetadata Metadata(Call call, string file)
    {
        var custom = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in call.Get(Custom) ?? [])
        {
            var parts = pair.Split('=', 2);
            if (parts.Length != 2 || !custom.TryAdd(parts[0], parts[1]))
            {
                throw new CommandFailure(ExitCodes.Usage, $"--custom: expected KEY=VALUE, each key once, found '{pair}'.");
            }
        }

        // A file may be called what no name may be; then it goes without.
        var name = call.Get(Name) ?? (file == "-" || Path.GetFileName(file).Any(char.IsControl) ? null : Path.GetFileName(file));
        return new BlobMetadata
        {
            Name = name,
            ContentType = call.Get(ContentType),
            Custom = custom.ToImmutableSortedDictionary(StringComparer.Ordinal),
        };
    }

    private static async Task<int> GetAsync(Call call)
    {
        var hash = BlobCommands.Hash(call.Get(Hash)!);
        var blobs = Existing(call, hash);
        await using var stream = blobs.OpenRead(hash);
        var offset = Math.Min(call.Get(Offset) ?? 0, stream.Length);
        var count = Math.Min(call.Get(Length) ?? long.MaxValue, stream.Length - offset);
        stream.Position = offset;
        if (call.Get(Target) is not { } target || target == "-")
        {
            await using var output = Console.OpenStandardOutput();
            await CopyAsync(stream, output, count, _ => { }, call.Stop);
            return ExitCodes.Ok;
        }

        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                await BlobBars.RunAsync(call, Path.GetFileName(target), count, async report =>
                {
                    await CopyAsync(stream, file, count, report, call.Stop);
                    return true;
                });
            }

            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }

        return ExitCodes.Ok;
    }

    private static async Task CopyAsync(
        BlobStream from, Stream to, long count, Action<long> report, CancellationToken cancellationToken)
    {
        var buffer = new byte[256 * 1024];
        for (var left = count; left > 0;)
        {
            var read = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancellationToken);
            await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            left -= read;
            report(count - left);
        }
    }

    private static Task<int> Has(Call call)
    {
        var hash = BlobCommands.Hash(call.Get(Hash)!);
        var size = Directory.Exists(call.Data.Blobs) ? BlobCommands.Open(call).SizeOf(hash) : null;
        call.Output.Object(
            new JsonObject { ["hash"] = hash.ToString(), ["present"] = size is not null, ["size"] = size },
            () => call.Output.Line(size is null ? "absent" : Names.Count(size.Value, "byte")));
        return Task.FromResult(size is null ? ExitCodes.NotFound : ExitCodes.Ok);
    }

    private static Task<int> Info(Call call)
    {
        var hash = BlobCommands.Hash(call.Get(Hash)!);
        var blobs = Existing(call, hash);
        var blob = blobs.Find(hash) ?? throw new BlobNotFoundException(hash);
        var row = BlobCommands.Row(blob, TagsOf(blobs)[hash]);
        call.Output.Object(row, () => call.Output.Pairs(
        [
            ("Blob", row.Text("hash")),
            ("Size", Names.Count(blob.Size, "byte")),
            ("State", row.Text("state")),
            ("Name", blob.Metadata.Name),
            ("Content type", blob.Metadata.ContentType),
            .. blob.Metadata.Custom.Select(pair => ($"  {pair.Key}", (string?)pair.Value)),
            ("Tags", string.Join(", ", TagsOf(blobs)[hash])),
            ("Kept until", row.Text("kept_until")),
        ]));
        return Task.FromResult(ExitCodes.Ok);
    }

    private static Task<int> List(Call call)
    {
        var state = call.Get(State) switch
        {
            null => (BlobState?)null,
            "complete" => BlobState.Complete,
            "partial" => BlobState.Partial,
            "quarantined" => BlobState.Quarantined,
            var other => throw new CommandFailure(
                ExitCodes.Usage, $"--state: expected complete, partial or quarantined, found '{other}'."),
        };
        var after = call.Get(After) is { } text ? BlobCommands.Hash(text) : (BlobHash?)null;
        var limit = call.Get(Limit) ?? 100;
        var blobs = BlobCommands.Open(call);
        var tags = TagsOf(blobs);
        var found = new List<BlobInfo>();
        BlobPage page;
        do
        {
            page = blobs.List(after, call.Get(Tagged) ? BlobStore.MaxPage : limit, state);
            found.AddRange(page.Blobs.Where(blob => !call.Get(Tagged) || tags.Contains(blob.Hash)).Take(limit - found.Count));
            after = page.Next;
        }
        while (found.Count < limit && after is not null);
        call.Output.Rows(
            [.. found.Select(blob => BlobCommands.Row(blob, tags[blob.Hash]))],
            [
                Column.Of("hash", heading: "BLOB"), Column.Of("size", right: true), Column.Of("state"), Column.Of("name"),
                new Column("TAGS", row => row.Text("tags")),
            ],
            "There is no such blob here.");
        if (call.Output.IsText)
        {
            var totals = blobs.Totals();
            Messages.Say($"{Names.Count(totals.Blobs, "blob")} of {Names.Count(totals.Bytes, "byte")}; {totals.Partial} partial, {totals.Quarantined} "
                + $"quarantined; {Names.Count(totals.StoredBytes, "byte")} on disk.");
            if (after is not null && found.Count == limit)
            {
                Messages.Say($"There may be more: --after {found[^1].Hash}");
            }
        }

        return Task.FromResult(ExitCodes.Ok);
    }

    private static ILookup<BlobHash, string> TagsOf(BlobStore blobs) =>
        blobs.Tags.List().ToLookup(tag => tag.Hash, tag => tag.Tag.ToString());

    private static BlobStore Existing(Call call, BlobHash hash) => Directory.Exists(call.Data.Blobs)
        ? BlobCommands.Open(call)
        : throw new BlobNotFoundException(hash);
}
