using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Blobs;

/// <summary><c>blob tag|untag|gc|verify</c>.</summary>
internal static class BlobKeepingCommands
{
    private static readonly Argument<string> Hash = BlobCommands.NewHash();

    private static readonly Argument<string[]> Hashes = new("HASH")
    {
        Description = "Blobs to read.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Argument<string> Tag = new("TAG")
    {
        Description = "1 to 128 letters, digits or . _ - : / @ +, such as images/debian:12.",
    };

    private static readonly Option<bool> All = new("--all") { Description = "Every blob of the store." };
    private static readonly Option<bool> Trial = new("--dry-run") { Description = "Only tell what would go." };

    private static readonly Option<long?> Grace = GlobalOptions.Number(
        "--grace", "How long in seconds what nothing keeps alive stays (default: 86400).", 0, 31_536_000L);

    public static Command[] Verbs =>
    [
        new Verb(
            "tag", "Keep a blob alive by a tag. A tag that stood for another blob leaves that one.",
            "meshledger blob tag af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 samples/empty")
        {
            Hash, Tag,
        }.Does(TagIt),
        new Verb(
            "untag", "Remove a tag. Its blob goes with the next collection, unless another tag or a job needs it.",
            "meshledger blob untag samples/empty")
        {
            Tag,
        }.Does(Untag),
        new Verb(
            "gc", "Remove the blobs that neither a tag nor a job of the ledger needs.",
            "meshledger blob gc --dry-run", "meshledger blob gc --grace 0")
        {
            Trial, Grace,
        }.Does(CollectAsync),
        new Verb(
            "verify", "Read blobs and compare them with their names; damaged ones go into quarantine (exit code 1).",
            "meshledger blob verify --all")
        {
            Hashes, All,
        }.Does(VerifyAsync),
    ];

    private static Task<int> TagIt(Call call)
    {
        var (hash, tag) = (BlobCommands.Hash(call.Get(Hash)!), BlobCommands.Tag(call.Get(Tag)!));
        BlobCommands.Open(call).Tags.Protect(hash, tag);
        call.Output.Object(
            new JsonObject { ["tag"] = tag.ToString(), ["hash"] = hash.ToString() },
            () => call.Output.Line($"{tag} keeps {hash}"));
        return Task.FromResult(ExitCodes.Ok);
    }

    private static Task<int> Untag(Call call)
    {
        var tag = BlobCommands.Tag(call.Get(Tag)!);
        if (!BlobCommands.Open(call).Tags.Unprotect(tag))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"there is no tag {tag}: meshledger blob list --tagged");
        }

        call.Output.Object(new JsonObject { ["tag"] = tag.ToString() }, () => call.Output.Line($"{tag} is gone"));
        return Task.FromResult(ExitCodes.Ok);
    }

    private static async Task<int> CollectAsync(Call call)
    {
        var blobs = BlobCommands.Open(call, options =>
        {
            options.References = token => BlobCommands.ReferencesAsync(call, token);
            options.Grace = call.Get(Grace) is { } seconds ? TimeSpan.FromSeconds(seconds) : options.Grace;
        });
        var isTrial = call.Get(Trial);
        var report = await blobs.Collector.CollectAsync(call.Stop, isTrial);
        call.Output.Object(
            new JsonObject
            {
                ["examined"] = report.Examined,
                ["removed"] = Names.List(report.Removed.Select(hash => hash.ToString())),
                ["freed_bytes"] = report.FreedBytes,
                ["dry_run"] = isTrial,
            },
            () =>
            {
                foreach (var hash in report.Removed)
                {
                    call.Output.Line(hash.ToString());
                }

                Messages.Say($"{report.Removed.Count} of {Names.Count(report.Examined, "blob")} {(isTrial ? "would go" : "went")}: "
                    + $"{Names.Count(report.FreedBytes, "byte")}.");
            });
        return ExitCodes.Ok;
    }

    private static async Task<int> VerifyAsync(Call call)
    {
        var named = call.Get(Hashes)!.Select(BlobCommands.Hash).ToList();
        if (named.Count == 0 == !call.Get(All))
        {
            throw new CommandFailure(ExitCodes.Usage, "expected hashes, or --all. See: meshledger blob verify --help");
        }

        var blobs = BlobCommands.Open(call);
        var hashes = call.Get(All) ? AllOf(blobs) : named;
        var rows = new List<JsonObject>();
        var good = 0;
        foreach (var hash in hashes)
        {
            string? fault = null;
            try
            {
                await BlobBars.RunAsync(call, hash.ToString()[..16], blobs.SizeOf(hash) ?? 0, async report =>
                {
                    await blobs.VerifyAsync(hash, new Tell<long>(report), call.Stop);
                    return true;
                });
                good++;
            }
            catch (BlobDamagedException damaged)
            {
                fault = damaged.Message;
            }
            catch (BlobNotFoundException absent) when (!call.Get(All))
            {
                fault = absent.Message;
            }
            catch (BlobNotFoundException)
            {
                // Collected meanwhile.
                continue;
            }

            rows.Add(new JsonObject
            {
                ["hash"] = hash.ToString(),
                ["status"] = fault is null ? "ok" : "damaged",
                ["fault"] = fault,
            });
        }

        if (call.Output.IsText)
        {
            foreach (var row in rows.Where(row => row["fault"] is not null))
            {
                call.Output.Line(row.Text("fault"));
            }

            Messages.Say($"Of {Names.Count(rows.Count, "blob")} {good} {(good == 1 ? "is what its name says" : "are what their names say")}; {rows.Count - good} not.");
        }
        else
        {
            call.Output.Rows(rows, [], "");
        }

        return good == rows.Count ? ExitCodes.Ok : ExitCodes.Failed;
    }

    private static IEnumerable<BlobHash> AllOf(BlobStore blobs)
    {
        BlobHash? after = null;
        do
        {
            var page = blobs.List(after, BlobStore.MaxPage, BlobState.Complete);
            foreach (var blob in page.Blobs)
            {
                yield return blob.Hash;
            }

            after = page.Next;
        }
        while (after is not null);
    }
}
