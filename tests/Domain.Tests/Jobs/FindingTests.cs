using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>What may be found of a receipt, by whom, and how it is told.</summary>
public sealed class FindingTests
{
    private static readonly EngineName Engine = new("meshledger-wasm", "0.1.0");

    /// <summary>A metered run with two checkpoints, that has ended well.</summary>
    private static readonly Said[] Ended =
    [
        .. JobSpec.Executing, JobSpec.Checkpoint(1), JobSpec.Checkpoint(2),
        JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(
            body => body with { Receipt = body.Receipt with { Guest = VectorStory.Metered() } }),
        JobSpec.Complete(),
    ];

    private static readonly (string Code, Said[] History, Said Said)[] Refused =
    [
        ("JOB_UNKNOWN", [], Find()),
        ("NOT_ENDED", Ended[..^1], Find()),
        ("WRONG_CAUSE", Ended, Find().Answering(null)),
        ("WRONG_CAUSE", Ended, Find().Answering(Digest.OfBytes("elsewhere"u8))),
        ("OWN_RECEIPT", Ended, Find(Actors.Worker, Registration(Actors.Worker))),
        ("OWN_RECEIPT", Ended, Find(Actors.Worker)),
        ("NOT_A_NODE", Ended, Find(Actors.Stranger)),
        ("NOT_A_NODE", Ended, Find(Actors.Submitter)),
        ("NOT_REGISTERED", Ended, Find(Actors.Stranger, Registration(Actors.Rival))),
        ("NOT_REGISTERED", Ended, Find(Actors.Rival, Digest.OfBytes("none"u8))),
        ("FINDING_EXISTS", [.. Ended, Find()], Find()),
        ("FINDING_EXISTS", [.. Ended, Find()], Find(found: Other)),
        ("WRONG_FINDING", Ended, Verified(body => body with { Attempt = 2 })),
        ("WRONG_FINDING", Ended, Verified(body => body with { Worker = Actors.Rival.Did })),
        ("WRONG_FINDING", Ended, Verified(body => body with { Checkpoints = -1 })),
        ("WRONG_FINDING", Ended, Verified(body => body with { Claims = Other(body.Claims) })),
        ("WRONG_FINDING", Ended, Disputed(body => body with { Found = body.Claims })),
        ("WRONG_FINDING", Ended, Disputed(body => body with { Found = body.Claims, Parting = null, Differences = [] })),
        ("WRONG_FINDING", Ended, Disputed(body => body with { Differences = [] })),
        ("WRONG_FINDING", Ended, Disputed(body => body with { Differences = [body.Differences[0] with { Found = "1" }] })),
        ("WRONG_FINDING", Ended, Parting(parting => parting with { Found = new FoundState(9, Blake3.Hash("x"u8), 1) })),
        ("WRONG_FINDING", Ended, Parting(parting => parting with { From = parting.From! with { Fuel = -1 } })),
        ("WRONG_FINDING", Ended, Parting(parting => parting with { To = parting.From, From = null, Found = SameAs(parting.From!) })),
        ("WRONG_ENGINE", Ended, Verified(body => body with { Engine = new EngineName("\u001b[2J", "1") })),
        ("WRONG_NAME", Ended, Disputed(body => body with
        {
            Found = body.Found with { Outputs = [new ClaimedOutput("x\nproven", 1, Blake3.Hash("x"u8), Digest.OfBytes("x"u8), false)] },
        })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { Summary = "" })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { Summary = " " + body.Summary })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { Summary = body.Summary.Replace("payload\"", "payLoad\"", StringComparison.Ordinal) })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { Summary = new string('x', 2_000_000) })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { VerifiedAt = body.VerifiedAt.AddSeconds(1) })),
        ("WRONG_SUMMARY", Ended, Verified(body => body with { Engine = new EngineName("another", "1") })),
        ("WRONG_SUMMARY", Ended, Find() with { By = Actors.Rival, Body = spec => (JobEvent.ReceiptVerified)Find().Body(spec) with { Registration = Registration(Actors.Rival) } }),
    ];

    /// <summary>One that was found right by a node, and wrong by a worker.</summary>
    internal static Said[] Judged { get; } = [.. Ended, Find(), Find(Actors.Rival, Registration(Actors.Rival), Other)];

    internal static IEnumerable<string> Codes => Refused.Select(one => one.Code).Append("TOO_MANY_FINDINGS");

    [Fact]
    public void Each_of_these_is_refused_by_its_code()
    {
        foreach (var (code, history, said) in Refused)
        {
            var judged = JobSpec.Given(history).WhenSaid(said);
            Assert.True(code == judged.Refusal?.Code, $"{code} expected, {judged.Refusal} found");
        }
    }

    [Fact]
    public void A_node_and_a_stranger_s_worker_may_each_say_once_what_they_found()
    {
        var spec = JobSpec.Given(Judged);
        Assert.Equal([true, false], spec.State!.Book.Findings.Select(finding => finding.IsVerified));
        Assert.Equal([Actors.Node.Did, Actors.Rival.Did], spec.State.Book.Findings.Select(finding => finding.By));
        Assert.Equal(JobStatus.Completed, spec.State.Status);
        spec.WhenSaid(JobSpec.Renew()).Refused("JOB_ENDED");
    }

    [Fact]
    public void A_finding_changes_nothing_of_how_a_job_ended()
    {
        var before = JobSpec.Given(Ended).State!;
        var after = JobSpec.Given([.. Ended, Find(found: Other)]).State!;
        Assert.Equal(before.Version + 1, after.Version);
        Assert.Equal(before.Paid, after.Paid);
        Assert.Equal(before.End, after.End);
        Assert.Equal(before.ResultRun!.Receipt, after.ResultRun!.Receipt);
        Assert.Equal(before.EndedAt, after.EndedAt);
    }

    [Fact]
    public void Receipts_of_attempts_that_came_to_nothing_are_judged_too()
    {
        Said[] history = [.. JobSpec.Retrying, JobSpec.Fail(JobSpec.Late)];
        JobSpec.Given(history).WhenSaid(Find()).Accepted();
    }

    [Fact]
    public void Workers_that_are_one_owner_s_prove_no_more_than_one_of_them()
    {
        var spec = JobSpec.Given(Ended);
        foreach (var (worker, owner) in new[] { (Actors.Third, Actors.Stranger.Did), (Actors.Worker, Actors.Stranger.Did) })
        {
            var facts = Actors.Facts("owned") with { Owner = owner };
            spec.Registry.Apply(Actors.State(worker, facts, null, StreamId.OfWorker(worker.Did), 50), facts, 2, 5);
        }

        // The receipt's bid stands on a registration that named no owner: what was said afterwards binds nobody.
        var third = spec.Registry.Worker(Actors.Third.Did)!.Digest;
        spec.WhenSaid(Find(Actors.Third, third)).Accepted();

        var owned = spec.Registry.Worker(Actors.Worker.Did)!.Digest;
        var book = spec.State!.Book with { Receipts = [spec.State.Book.Receipts[0] with { Registration = owned }] };
        Assert.Equal("OWN_RECEIPT", FindingRules.Check(book, spec.Fact(Find(Actors.Third, third)), spec.Registry)?.Code);
        Assert.Null(FindingRules.Check(book, spec.Fact(Find(Actors.Rival, Registration(Actors.Rival))), spec.Registry));
    }

    [Fact]
    public void So_many_workers_are_heard_and_every_node()
    {
        var spec = JobSpec.Given(Ended);
        for (byte seed = 100; seed < 100 + FindingRules.MaxOfWorkers; seed++)
        {
            spec.Take(spec.Fact(Find(Joining(spec, seed), spec.Registry.Worker(Actors.Key(seed).Did)!.Digest)));
        }

        var late = Joining(spec, 200);
        spec.WhenSaid(Find(late, spec.Registry.Worker(late.Did)!.Digest)).Refused("TOO_MANY_FINDINGS");
        spec.WhenSaid(Find()).Accepted();
    }

    [Fact]
    public void The_summary_follows_from_the_event_to_the_byte()
    {
        var spec = JobSpec.Given(Ended);
        var finding = Assert.IsType<JobEvent.ReceiptVerified>(Find().Body(spec));
        Assert.True(DsseEnvelope.TryParse(System.Text.Encoding.UTF8.GetBytes(finding.Summary), out var envelope));
        Assert.True(envelope!.IsSignedBy(Actors.Node.Did));
        using var json = System.Text.Json.JsonDocument.Parse(envelope.Payload);
        var predicate = json.RootElement.GetProperty("predicate");
        Assert.Equal("PASSED", predicate.GetProperty("verificationResult").GetString());
        Assert.Equal(Actors.Node.Did.ToString(), predicate.GetProperty("verifier").GetProperty("id").GetString());
        Assert.Equal(
            finding.Claims.Outputs.Select(output => output.Sha256.ToString()),
            json.RootElement.GetProperty("subject").EnumerateArray()
                .Select(subject => subject.GetProperty("digest").GetProperty("sha256").GetString()));
    }

    [Fact]
    public void Every_event_of_a_job_says_why_it_may_stand()
    {
        var random = new RandomBody(new Random(8));
        foreach (var kind in EventCodec.Kinds.Where(kind => kind.ClrType.IsSubclassOf(typeof(JobEvent))))
        {
            var rule = RuleText.Of(random.Of(kind.ClrType));
            Assert.All([rule.By, rule.When, rule.Cause], text => Assert.NotEmpty(text));
        }

        Assert.Throws<ArgumentException>(() => RuleText.Of(Actors.Facts("w")));
    }

    /// <summary>A worker that nobody owns.</summary>
    private static SigningKey Joining(JobSpec spec, byte seed)
    {
        var key = Actors.Key(seed);
        var facts = Actors.Facts($"w-{seed}");
        spec.Registry.Apply(Actors.State(key, facts, null, StreamId.OfWorker(key.Did), seed), facts, 1, seed);
        return key;
    }

    private static Digest Registration(SigningKey worker) => Actors.Registration(worker).Digest;

    private static RunClaims Other(RunClaims claims) => claims with { Fuel = 7, StateDigest = null };

    private static FoundState SameAs(RecordedCheckpoint at) => new(at.Fuel, at.State, at.Size);

    /// <summary>What a run of the document came to that differs from the second checkpoint on, or in nothing.</summary>
    private static Said Find(SigningKey? by = null, Digest? registration = null, Func<RunClaims, RunClaims>? found = null) => new(
        by ?? Actors.Node,
        spec => spec.State?.Book.Receipts[0].Digest,
        spec =>
        {
            var history = new ReceiptHistory(spec.Facts);
            var receipt = history.Receipts.Count > 0
                ? history.Receipts[0]
                : new IssuedReceipt(Digest.OfBytes("none"u8), Actors.Worker.Did, 1, VectorStory.Receipt(null));
            var (claims, saved) = (RunClaims.Of(receipt.Receipt), history.Of(receipt));
            var states = saved.ToDictionary(
                one => one.Fuel,
                one => SameAs(one) with { State = found is not null && one.Sequence == 2 ? Blake3.Hash("honest"u8) : one.State });
            return RunComparison.Of(claims, saved, found?.Invoke(claims) ?? claims, states)
                .Tell(receipt, registration, Engine, JobSpec.At, by ?? Actors.Node);
        });

    private static Said Verified(Func<JobEvent.ReceiptVerified, JobEvent.ReceiptVerified> change) => Find().Changed(change);

    private static Said Disputed(Func<JobEvent.ReceiptDisputed, JobEvent.ReceiptDisputed> change) =>
        Find(found: Other).Changed(change);

    /// <summary>With the differences that follow from it.</summary>
    private static Said Parting(Func<RunInterval, RunInterval> change) => Disputed(body =>
    {
        var parting = change(body.Parting!);
        return body with { Parting = parting, Differences = RunComparison.Differing(body.Claims, body.Found, parting) };
    });
}
