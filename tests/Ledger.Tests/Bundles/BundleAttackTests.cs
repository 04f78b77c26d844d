using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Testing;
using Xunit.Abstractions;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>Bundles and policies made to be misread: our verifier and the second one say the same of each.</summary>
public sealed class BundleAttackTests(BundleFixture fixture, ITestOutputHelper output) : IClassFixture<BundleFixture>, IDisposable
{
    private const string Job = "job-alone-1";

    private static readonly string Escape = "x\n  did:key:z6MkTRUSTED at position 1: result 0000\nproven\n\u001b[2J\u202e";

    private readonly string _home = Directory.CreateTempSubdirectory("ml-attack-").FullName;

    private string Trusting => $$"""{"logs":["{{fixture.Log}}"]}""";

    public void Dispose() => Directory.Delete(_home, recursive: true);

    public static TheoryData<string> NoPolicies =>
    [
        """{"logs":["LOG"],"submitters":null}""", """{"logs":["LOG"],"workers":null}""", """{"logs":["LOG"],"founder":null}""",
        """{"logs":["LOG"],"submitters":false}""", """{"logs":["LOG"],"founder":""}""", """{"logs":["LOG"],"submitters":"DID"}""",
        """{"logs":["LOG"],"submitters":["DID"],"submitters":null}""", """{"logs":["LOG"],"submitters":["DID"],"\u0073ubmitters":["DID"]}""",
        """{"logs":["LOG"],"submitters":["DID","DID"]}""", """{"logs":["LOG"],"submitters":["did:key:z6Mk"]}""",
        """{"logs":["LOG"],"workers":{}}""", """{"logs":["LOG"],"workers":[5]}""", """{"logs":["LOG"],"witnesses":null}""",
        """{"logs":["LOG"],"quorum":-1}""", """{"logs":["LOG"],"quorum":""}""", """{"logs":["LOG"],"quorum":[]}""",
        """{"logs":["LOG"],"quorum":null}""", """{"logs":["LOG"],"quorum":0.0}""", """{"logs":["LOG"],"quorum":1}""",
        """{"logs":"LOG"}""", """{"logs":["LOG","LOG"]}""", """{"logs":[{"LOG":1}]}""", "[]", "null", "",
        """{"logs":["LOG"],"witnesses":["WITNESS","ALIAS"],"quorum":2}""", """{"logs":["LOG"],"witnesses":["ITSELF"],"quorum":1}""",
    ];

    [Theory]
    [MemberData(nameof(NoPolicies))]
    public async Task What_is_no_policy_checks_nothing(string json)
    {
        var policy = json.Replace("LOG", fixture.Log.ToString(), StringComparison.Ordinal)
            .Replace("WITNESS", fixture.Witness.ToString(), StringComparison.Ordinal)
            .Replace("ALIAS", Alias(fixture.Witness).ToString(), StringComparison.Ordinal)
            .Replace("ITSELF", Alias(fixture.Log).ToString(), StringComparison.Ordinal)
            .Replace("DID", fixture.Story.Submitter.Did.ToString(), StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => BundlePolicy.Parse(Encoding.UTF8.GetBytes(policy)));
        if (await SecondVerifierTests.RunAsync([], policy, _home, output) is { } run)
        {
            Assert.True(run.ExitCode == 2, run.Output);
        }
    }

    [Fact]
    public async Task A_witness_with_two_names_counts_once_and_a_log_not_at_all()
    {
        var (alias, key) = (Alias(fixture.Witness), fixture.WitnessKey);
        var bundle = Rehead(await fixture.ExportAsync(Job), note => Line(note, alias, key));
        var policy = fixture.Policy with { Witnesses = [fixture.Witness, alias], Quorum = 2 };
        var report = await fixture.VerifyAsync(bundle, policy);
        Assert.Equal("quorum_missed", Assert.Single(report.Faults).Kind);
        Assert.Single(report.Cosigned);
        report = await fixture.VerifyAsync(
            bundle, policy with { Logs = [fixture.Log, new NoteKey("other", NoteKeyType.Signature, key.Did)], Quorum = 0 });
        Assert.Empty(report.Cosigned);
    }

    [Fact]
    public async Task Signatures_that_nobody_can_check_prove_nothing_and_are_counted()
    {
        var (bundle, stranger) = (await fixture.ExportAsync(Job), SigningKey.Generate());
        var unknown = new NoteKey("stranger.example", NoteKeyType.Cosignature, stranger.Did);
        var more = Rehead(bundle, note => Line(note, unknown, stranger));
        var report = await BothAsync(more, Trusting, isProven: true);
        Assert.Equal(2, report.UncheckedSignatures);
        Assert.Contains(BundleWords.NotProven(report), line => line.StartsWith("Who made 2 of the signatures", StringComparison.Ordinal));
        report = await BothAsync(bundle, $$"""{"logs":["{{fixture.Log}}"],"witnesses":["{{fixture.Witness}}"]}""", isProven: true);
        Assert.Equal(0, report.UncheckedSignatures);
        Assert.DoesNotContain(BundleWords.NotProven(report), line => line.StartsWith("Who made", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("n", 98, true)]
    [InlineData("n", 99, false)]
    [InlineData("n\ufeff", 1, true)]
    [InlineData("n\u0001", 1, false)]
    [InlineData("n\u0085", 1, false)]
    [InlineData("n\u3000", 1, false)]
    [InlineData("n\U0001F600", 1, false)]
    [InlineData("255", 1, true)]
    [InlineData("256", 1, false)]
    public async Task A_tree_head_has_so_many_signatures_and_names_of_such_letters(string name, int lines, bool isProven)
    {
        var signer = name is "255" or "256" ? new string('n', name == "255" ? 255 : 256) : name;
        var bundle = Rehead(await fixture.ExportAsync(Job), note => note + string.Concat(Enumerable.Repeat($"\u2014 {signer} AAAAAAAA\n", lines)));
        await BothAsync(bundle, Trusting, isProven);
    }

    [Fact]
    public async Task A_bundle_has_the_stream_of_the_ledger()
    {
        var archive = Archive.Of(await fixture.ExportAsync(Job));
        var (position, submission) = archive.Entries
            .Where(entry => entry.Name.StartsWith("events/", StringComparison.Ordinal))
            .Select(entry => (long.Parse(entry.Name[7..^5]), Statement.TryParse(entry.Bytes, out var read) ? read! : throw new FormatException()))
            .Single(one => one.Item2.Type == "job_submitted");
        IReadOnlyList<(long Position, Statement Statement)> told = [(position, submission)];
        var head = archive["checkpoint"];
        Assert.True(SignedNote.TryParse(head, out var note));
        Assert.True(TreeHead.TryParse(note!.Text, out var tree));
        archive.Entries.RemoveAll(entry => entry.Name is not ("checkpoint" or "bundle.json" or "keys.json")
            && !entry.Name.Contains($"/{position}.", StringComparison.Ordinal));
        archive["bundle.json"] = BundleIndex.Write([], told, fixture.Log, tree.Size);
        archive["keys.json"] = BundleIndex.WriteKeys(told);
        var report = await BothAsync(archive.ToBytes(), Trusting, isProven: false);
        Assert.Equal(("missing", "events/"), (report.Faults[0].Kind, report.Faults[0].Place));
    }

    [Fact]
    public async Task The_end_of_a_job_names_the_workers_that_are_asked_for_and_each_has_its_receipt()
    {
        var stranger = SigningKey.Generate().Did;
        await ToldAsync(
            body => body is JobEvent.Completed ended
                ? ended with { Attempt = ended.Attempt + 1, Outcomes = [.. ended.Outcomes.Select(one => one with { Worker = stranger })] }
                : null,
            async (told, bundle) =>
            {
                var workers = string.Join("\",\"", told.Story.Workers.Select(worker => worker.Did));
                var run = await BothAsync(
                    told, bundle, $$"""{"logs":["{{told.Log}}"],"workers":["{{workers}}"]}""", isProven: false);
                Assert.Contains($"a worker of the policy, not {stranger}", run ?? $"a worker of the policy, not {stranger}", StringComparison.Ordinal);
                run = await BothAsync(told, bundle, $$"""{"logs":["{{told.Log}}"]}""", isProven: false);
                Assert.Contains($"a receipt without an error of {stranger}", run ?? $"a receipt without an error of {stranger}", StringComparison.Ordinal);
            });
    }

    [Fact]
    public async Task What_a_member_is_called_names_no_blob()
    {
        var bytes = "stowaway"u8.ToArray();
        var blob = Blake3.Hash(bytes);
        foreach (var (data, isProven) in new[] { ($$"""{"{{blob}}":1}""", false), ($$"""["{{blob}}"]""", true) })
        {
            await ToldAsync(
                body => body is JobEvent.Submitted submitted && submitted.Document.Contains($"\"{Job}\"", StringComparison.Ordinal)
                    ? Naming(submitted, data)
                    : null,
                async (told, _) => await BothAsync(
                    told, await told.ExportWithAsync(new() { [blob] = bytes }, Job), $$"""{"logs":["{{told.Log}}"]}""", isProven));
        }

        static JobEvent.Submitted Naming(JobEvent.Submitted submitted, string data)
        {
            var document = submitted.Document.Replace("\"data\":null", $"\"data\":{data}", StringComparison.Ordinal);
            return submitted with { Document = document, DocumentSha256 = new Digest(SHA256.HashData(Encoding.UTF8.GetBytes(document))) };
        }
    }

    [Fact]
    public async Task What_an_output_is_called_forges_no_line()
    {
        await ToldAsync(
            body => body is JobEvent.ReceiptIssued issued
                ? issued with { Receipt = issued.Receipt with { Outputs = [issued.Receipt.Outputs[0] with { Name = Escape }] } }
                : null,
            async (told, bundle) =>
            {
                var run = await BothAsync(told, bundle, $$"""{"logs":["{{told.Log}}"]}""", isProven: false);
                Assert.DoesNotContain(run?.Split('\n') ?? [], line => line == "proven" || line.Contains("did:key:z6MkTRUSTED at", StringComparison.Ordinal) && !line.StartsWith("FAULT", StringComparison.Ordinal));
                Assert.DoesNotContain(run ?? "", letter => letter is '\u001b' or '\u202e');
                Assert.Equal("illegal_event", (await told.VerifyAsync(bundle)).Faults[0].Kind);
                Assert.StartsWith("WRONG_NAME", (await told.VerifyAsync(bundle)).Faults[0].Found, StringComparison.Ordinal);
            });
    }

    /// <summary>A ledger in which one event is told otherwise, and a bundle of it.</summary>
    private static async Task ToldAsync(Func<LedgerEvent, LedgerEvent?> lie, Func<BundleFixture, byte[], Task> then)
    {
        var times = 0;
        var told = await BundleFixture.OfAsync(new LedgerStory
        {
            Twist = body => [times == 0 && lie(body) is { } said && ++times > 0 ? said : body],
        }.Tell());
        try
        {
            Assert.Equal(1, times);
            await then(told, await told.ExportAsync(BundleTests.All));
        }
        finally
        {
            await told.DisposeAsync();
        }
    }

    private async Task<BundleReport> BothAsync(byte[] bundle, string policy, bool isProven)
    {
        await BothAsync(fixture, bundle, policy, isProven);
        return await fixture.VerifyAsync(bundle, BundlePolicy.Parse(Encoding.UTF8.GetBytes(policy)));
    }

    /// <summary>What the second verifier printed; null where it cannot be run.</summary>
    private async Task<string?> BothAsync(BundleFixture told, byte[] bundle, string policy, bool isProven)
    {
        var report = await told.VerifyAsync(bundle, BundlePolicy.Parse(Encoding.UTF8.GetBytes(policy)));
        Assert.True(isProven == report.IsProven, string.Join('\n', report.Faults));
        if (await SecondVerifierTests.RunAsync(bundle, policy, _home, output) is not { } run)
        {
            return null;
        }

        Assert.True((isProven ? 0 : 4) == run.ExitCode, run.Output);
        return run.Output;
    }

    private static NoteKey Alias(NoteKey key) => new("alias.example", NoteKeyType.Cosignature, key.Key);

    private static string Line(string note, NoteKey name, SigningKey key)
    {
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(note), out var read));
        return read!.With(name, key, 1_800_000_000).ToString();
    }

    /// <summary>Another spelling of the tree head, in each proof, too.</summary>
    private static byte[] Rehead(byte[] bundle, Func<string, string> change)
    {
        var archive = Archive.Of(bundle);
        var old = archive["checkpoint"];
        var head = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(old)));
        foreach (var (name, bytes) in archive.Entries.ToList())
        {
            if (name == "checkpoint" || name.StartsWith("proofs/", StringComparison.Ordinal))
            {
                archive[name] = [.. bytes[..^old.Length], .. head];
            }
        }

        return archive.ToBytes();
    }
}
