using System.Text.RegularExpressions;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Documents;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>For each code that a rule refuses by, something that must be refused by exactly that code.</summary>
public sealed partial class RuleCodeTests
{
    private static readonly Digest Elsewhere = Digest.OfBytes("elsewhere"u8);
    private static readonly Said[] Open = JobSpec.Open;
    private static readonly Said[] Late = [.. JobSpec.Lost, JobSpec.OpenBidding(), JobSpec.Bid(Actors.Rival, 60), JobSpec.CloseBidding(), JobSpec.Assign()];
    private static readonly Said[] Cancelling = [.. JobSpec.Executing, JobSpec.RequestCancel()];

    private static readonly (string Code, Said[] History, Said Said)[] OfJobs =
    [
        ("JOB_UNKNOWN", [], JobSpec.Bid(Actors.Worker, 1)),
        ("JOB_ENDED", JobSpec.Completed, JobSpec.Receipt(null)),
        ("JOB_ENDED", JobSpec.Completed, JobSpec.Complete()),
        ("JOB_ENDED", JobSpec.Failed, JobSpec.Progress(1, 1)),
        ("JOB_ENDED", [.. Cancelling, JobSpec.Cancel()], JobSpec.Renew()),
        ("JOB_ID_TAKEN", JobSpec.Submitted, JobSpec.Submit()),
        ("WRONG_STREAM", Open, new Said(Actors.Worker, _ => null, _ => Actors.Facts("worker-1"))),
        ("NOT_A_NODE", JobSpec.Closed, JobSpec.Assign() with { By = Actors.Worker }),
        ("NOT_A_NODE", JobSpec.Executing, JobSpec.EndAttempt() with { By = Actors.Submitter }),
        ("NOT_A_NODE", Cancelling, JobSpec.Cancel() with { By = Actors.Submitter }),

        ("WRONG_CAUSE", [], JobSpec.Submit().Answering(Elsewhere)),
        ("WRONG_CAUSE", Open, JobSpec.Bid(Actors.Worker, 1).Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Assigned, JobSpec.Start().Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Executing, JobSpec.Checkpoint(1).Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Executing, JobSpec.Output(1, "log", 0, "x").Answering(null)),
        ("WRONG_CAUSE", JobSpec.Executing, JobSpec.Renew().Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Lost, JobSpec.Receipt(null).Answering(Elsewhere)),
        ("WRONG_CAUSE", Cancelling, JobSpec.Cancel().Answering(Elsewhere)),
        ("WRONG_CAUSE", Open, JobSpec.RequestCancel().Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Retriable, JobSpec.EndAttempt().Answering(Elsewhere)),
        ("WRONG_CAUSE", JobSpec.Retrying, JobSpec.OpenBidding().Answering(Elsewhere)),
        ("WRONG_STATUS", JobSpec.Closed, JobSpec.Bid(Actors.Worker, 1)),
        ("WRONG_ATTEMPT", Open, JobSpec.Bid(Actors.Worker, 1).Changed<JobEvent.BidPlaced>(body => body with { Attempt = 2 })),
        ("WRONG_ATTEMPT", JobSpec.Retrying, JobSpec.OpenBidding().Changed<JobEvent.BiddingOpened>(body => body with { Attempt = 3 })),
        ("WRONG_ATTEMPT", JobSpec.Executing, JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with { Attempt = 2 })),

        ("WRONG_PRICE", [], Terms(terms => terms with { MaxPrice = 0 })),
        ("WRONG_PRICE", [], Terms(terms => terms with { MaxPrice = 1_000_000_000_001 })),
        ("WRONG_PRICE", Open, JobSpec.Bid(Actors.Worker, -1)),
        ("WRONG_REPLICAS", [], Terms(terms => terms with { Replicas = 0 })),
        ("WRONG_REPLICAS", [], Terms(terms => terms with { Replicas = 16 })),
        ("WRONG_REPLICAS", [], Terms(terms => terms with { Replicas = int.MaxValue })),
        ("WRONG_ESCROW", JobSpec.Submitted, JobSpec.OpenBidding().Changed<JobEvent.BiddingOpened>(body => body with { Escrow = 99 })),
        ("WRONG_ESCROW", JobSpec.Submitted, JobSpec.OpenBidding().Changed<JobEvent.BiddingOpened>(body => body with { SubmitterReputation = 3 })),
        ("WRONG_ESCROW", JobSpec.Retrying, JobSpec.OpenBidding(1)),

        ("WRONG_RESOURCES", Open, Free(new FreeResources(5, 1, 1, 1))),
        ("WRONG_RESOURCES", Open, Free(new FreeResources(1, 8_193, 1, 1))),
        ("WRONG_RESOURCES", Open, Free(new FreeResources(1, 1, CanonicalJson.MaxInteger, 1))),
        ("WRONG_RESOURCES", Open, Free(new FreeResources(1, 1, 1, 3))),
        ("WRONG_RESOURCES", Open, Free(new FreeResources(1, 1, 1, -1))),
        ("NOT_REGISTERED", Open, JobSpec.Bid(Actors.Worker, 1) with { By = Actors.Rival }),
        ("TOO_MANY_BIDS", [.. Open, .. Enumerable.Repeat(JobSpec.Bid(Actors.Worker, 1), 16)], JobSpec.Bid(Actors.Worker, 1)),
        ("WRONG_REASON", [.. Open, JobSpec.Bid(Actors.Worker, 1)], JobSpec.CloseBidding().Changed<JobEvent.BiddingClosed>(body => body with { Reason = "enough" })),
        ("WRONG_BIDS", [.. Open, JobSpec.Bid(Actors.Worker, 1)], JobSpec.CloseBidding().Changed<JobEvent.BiddingClosed>(body => body with { Bids = 2 })),
        ("UNKNOWN_POLICY", JobSpec.Closed, Choice(selection => selection with { Policy = "mine" })),
        ("WRONG_WEIGHTS", JobSpec.Closed, Choice(selection => selection with { Weights = new SelectionWeights(0, 0, 0, -1) })),
        ("WRONG_LEASE", JobSpec.Closed, Choice(selection => selection with { LeaseMs = -1 })),
        ("WRONG_CHOICE", JobSpec.Closed, JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with
        {
            Assignees = [new Assignee(body.Considered[0].Bid, body.Considered[0].Worker, body.Considered[0].Price)],
        })),
        ("WRONG_CHOICE", JobSpec.Closed, JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with
        {
            Considered = [body.Considered[0] with { Reputation = 9 }, body.Considered[1]],
        })),
        ("WRONG_CHOICE", JobSpec.Closed, JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with
        {
            Considered = [body.Considered[0], body.Considered[1], body.Considered[1]],
        })),
        ("WRONG_CHOICE", JobSpec.Closed, Choice(selection => selection with { SubmitterMayBid = true, Draw = 0 })),

        ("NOT_YOUR_ASSIGNMENT", JobSpec.Executing, JobSpec.Receipt(null, Actors.Rival)),
        ("NOT_YOUR_ASSIGNMENT", JobSpec.Executing, JobSpec.Checkpoint(1) with { By = Actors.Node }),
        ("LEASE_LOST", Late, Of(1, JobSpec.Receipt(null))),
        ("LEASE_LOST", JobSpec.Lost, JobSpec.Receipt(JobSpec.Trouble)),
        ("LEASE_LOST", JobSpec.Lost, JobSpec.Renew()),
        ("NOT_YOUR_ASSIGNMENT", Late, JobSpec.Receipt(null)),
        ("STARTED", JobSpec.Executing, JobSpec.Start()),
        ("NOT_STARTED", JobSpec.Assigned, JobSpec.Receipt(null)),
        ("RECEIPT_EXISTS", JobSpec.Succeeded, JobSpec.Receipt(JobSpec.Trouble)),
        ("RECEIPT_EXISTS", JobSpec.Succeeded, JobSpec.Renew()),
        ("RECEIPT_EXISTS", JobSpec.Succeeded, JobSpec.RequestCancel()),
        ("WRONG_SEQUENCE", JobSpec.Executing, JobSpec.Progress(2, 1)),
        ("WRONG_SEQUENCE", JobSpec.Executing, JobSpec.Checkpoint(2)),
        ("WRONG_SEQUENCE", [.. JobSpec.Executing, JobSpec.Checkpoint(1)], JobSpec.Checkpoint(1)),
        ("WRONG_SEQUENCE", JobSpec.Executing, JobSpec.Checkpoint(1).Changed<JobEvent.CheckpointRecorded>(body => body with { Size = 0 })),
        ("WRONG_SEQUENCE", [.. JobSpec.Executing, JobSpec.Output(1, "log", 0, "x")], JobSpec.Output(1, "log", 1, "y")),
        ("WRONG_PROGRESS", JobSpec.Executing, JobSpec.Progress(1, 10_001)),
        ("WRONG_PROGRESS", JobSpec.Executing, JobSpec.Progress(1, 1).Changed<JobEvent.ProgressReported>(body => body with { EtaMs = -1 })),
        ("WRONG_OFFSET", JobSpec.Executing, JobSpec.Output(1, "log", 1, "x")),
        ("WRONG_NAME", JobSpec.Executing, JobSpec.Output(1, "", 0, "x")),
        ("WRONG_NAME", JobSpec.Executing, JobSpec.Output(1, "a\u001b[2J", 0, "x")),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "x\nproven" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "x\u007f" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "x\u0085" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "x\u202e" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "x\u2066" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "/tmp/x" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = "files/../../x" })),
        ("WRONG_NAME", JobSpec.Executing, Output(output => output with { Name = new string('é', OutputName.MaxBytes / 2) + "e" })),
        ("WRONG_NAME", JobSpec.Executing, Told(receipt => receipt with { Outputs = [receipt.Outputs[0], receipt.Outputs[0]] })),
        ("WRONG_ENGINE", JobSpec.Executing, Told(receipt => receipt with { Engine = new EngineName("", "1") })),
        ("WRONG_ENGINE", JobSpec.Executing, Told(receipt => receipt with { Engine = new EngineName("e", "") })),
        ("WRONG_ENGINE", JobSpec.Executing, Told(receipt => receipt with { Engine = new EngineName("e\u001b[2J", "1") })),
        ("WRONG_ENGINE", JobSpec.Executing, Told(receipt => receipt with { Engine = new EngineName("e", "1\nproven") })),
        ("WRONG_ENGINE", JobSpec.Executing, Told(receipt => receipt with { Engine = new EngineName(new string('e', 256), "1") })),
        ("WRONG_ENGINE", JobSpec.Executing, JobSpec.Checkpoint(1).Changed<JobEvent.CheckpointRecorded>(body => body with { Engine = new EngineName("\n", "1") })),
        ("WRONG_OFFSET", [.. JobSpec.Executing, JobSpec.Output(1, "log", 0, "x")], JobSpec.Output(2, "log", 0, "y")),
        ("WRONG_OFFSET", JobSpec.Executing, Piece(body => body with { Text = null, Size = JobRules.MaxPartialBytes + 1 })),
        ("WRONG_OUTPUT", JobSpec.Executing, Piece(body => body with { Text = "y" })),
        ("WRONG_OUTPUT", JobSpec.Executing, Piece(body => body with { Base64 = "eA==" })),
        ("WRONG_OUTPUT", JobSpec.Executing, Piece(body => body with { Text = null, Base64 = "eB==" })),
        ("WRONG_OUTPUT", JobSpec.Executing, Output(output => output with { Text = "another" })),
        ("WRONG_OUTPUT", JobSpec.Executing, Output(output => output with { Sha256 = Elsewhere })),
        ("WRONG_OUTPUT", JobSpec.Executing, Output(output => output with { Size = 1 })),
        ("WRONG_OUTPUT", JobSpec.Executing, Output(output => output with { Text = null, Size = -1 })),
        ("WRONG_OUTPUT", JobSpec.Executing, Output(output => VectorStory.Output("result", new string('x', ReceiptOutput.MaxInline + 1)))),
        ("WRONG_GUEST", JobSpec.Executing, Guest(guest => guest with { Fuel = -1 })),
        ("WRONG_GUEST", JobSpec.Executing, Guest(guest => guest with { FuelTable = 0 })),
        ("WRONG_GUEST", JobSpec.Executing, Guest(guest => guest with { Tier = "quick" })),
        ("WRONG_GUEST", JobSpec.Executing, Guest(guest => guest with { Result = "+1" })),
        ("WRONG_GUEST", JobSpec.Executing, Guest(guest => guest with { Result = "9223372036854775808" })),
        ("WRONG_GUEST", JobSpec.Executing, JobSpec.Checkpoint(1).Changed<JobEvent.CheckpointRecorded>(body => body with { Fuel = -1 })),
        ("WRONG_CHECKPOINT", JobSpec.Executing, Guest(guest => guest with { ResumedFrom = VectorStory.Saved })),
        ("WRONG_ATTESTATION", JobSpec.Executing, Attested(honest => honest with { Payload = "e30=" })),
        ("WRONG_ATTESTATION", JobSpec.Lost, Attested(honest => honest with { PayloadType = "application/json" })),
        ("WRONG_CHECKPOINT", JobSpec.Executing, JobSpec.Checkpoint(1, VectorStory.Saved)),
        ("WRONG_ERROR", JobSpec.Executing, JobSpec.Receipt(JobSpec.Trouble with { Code = "LEASE_LOST" })),

        ("NOT_THE_SUBMITTER", JobSpec.Executing, JobSpec.RequestCancel() with { By = Actors.Node }),
        ("NOT_CANCELLABLE", [JobSpec.Submit("\"execution\":{\"cancellable\":false},")], JobSpec.RequestCancel()),
        ("CANCELLED", Cancelling, JobSpec.RequestCancel()),
        ("CANCELLED", Cancelling, JobSpec.Receipt(null)),
        ("CANCELLED", [.. JobSpec.Lost, JobSpec.RequestCancel()], JobSpec.Receipt(null)),
        ("CANCELLED", [.. JobSpec.Retriable, JobSpec.RequestCancel()], JobSpec.EndAttempt()),
        ("CANCELLED", [.. JobSpec.Retrying, JobSpec.RequestCancel()], JobSpec.OpenBidding()),
        ("CANCELLED", [.. JobSpec.Closed, JobSpec.RequestCancel()], JobSpec.Assign()),

        ("WRONG_OPERATION", JobSpec.Succeeded, JobSpec.Complete().Changed<JobEvent.Completed>(body => body with { Operation = "system.other" })),
        ("WRONG_OPERATION", JobSpec.Retriable, JobSpec.EndAttempt().Changed<JobEvent.AttemptEnded>(body => body with { Operation = "" })),
        ("NO_SUCCESS", JobSpec.Erred, JobSpec.Complete()),
        ("NO_VERDICT", JobSpec.Executing, JobSpec.Complete(RunResults.Succeeded)),
        ("NO_RETRY", JobSpec.Erred, JobSpec.EndAttempt()),
        ("WRONG_SETTLEMENT", JobSpec.Succeeded, JobSpec.Complete().Changed<JobEvent.Completed>(body => body with { Refunded = 61 })),
        ("WRONG_SETTLEMENT", JobSpec.Succeeded, Paid(41, 59)),
        ("WRONG_SETTLEMENT", JobSpec.Succeeded, Paid(100, 0)),
        ("WRONG_SETTLEMENT", JobSpec.Succeeded, Paid(-CanonicalJson.MaxInteger, CanonicalJson.MaxInteger)),
        ("WRONG_SETTLEMENT", JobSpec.Succeeded, JobSpec.Fail(JobSpec.Late)),
        ("WRONG_SETTLEMENT", JobSpec.Erred, JobSpec.Fail(JobSpec.Trouble).Changed<JobEvent.Failed>(body => body with { Outcomes = [body.Outcomes[0] with { Paid = 41 }], Refunded = 59 })),
        ("WRONG_SETTLEMENT", JobSpec.Retriable, JobSpec.EndAttempt().Changed<JobEvent.AttemptEnded>(body => body with { Error = JobSpec.Late })),
        ("WRONG_SETTLEMENT", JobSpec.Retriable, JobSpec.EndAttempt().Changed<JobEvent.AttemptEnded>(body => body with { Outcomes = [body.Outcomes[0] with { Paid = 1 }] })),
        ("WRONG_SETTLEMENT", Cancelling, JobSpec.Cancel().Changed<JobEvent.Cancelled>(body => body with { Outcomes = [] })),
        ("WRONG_SETTLEMENT", Open, JobSpec.Complete()),
    ];

    [Fact]
    public void Each_of_these_is_refused_by_its_code()
    {
        foreach (var (code, history, said) in OfJobs)
        {
            var spec = JobSpec.Given(history);
            var before = spec.State;
            var judged = spec.WhenSaid(said);
            Assert.True(code == judged.Refusal?.Code, $"{code} expected, {judged.Refusal} found: {spec.Fact(said).Body}");
            Assert.Same(before, spec.State);
        }
    }

    [Theory]
    [InlineData("stdout")]
    [InlineData("files/out/a b/..c")]
    [InlineData("files/tmp//größe ﷺ.txt")]
    public void An_output_may_be_called_what_a_file_is_called(string name) =>
        Assert.Null(JobSpec.Given(JobSpec.Executing).WhenSaid(Output(output => output with { Name = name })).Refusal);

    [Fact]
    public void No_rule_is_without_one()
    {
        var written = new[] { "Jobs/JobRules.cs", "Jobs/SettlementRules.cs", "Jobs/ReceiptRules.cs", "Jobs/OutputName.cs", "Jobs/GuestAccount.cs", "Jobs/Checkpoints.cs", "Jobs/FindingRules.cs", "Jobs/JobSubmission.cs", "Nodes/Registry.cs", "Federations/FederationBook.cs", "Aid/AidBoard.cs", "Accounts/Account.cs" }
            .SelectMany(file => Code().Matches(File.ReadAllText(Path.Combine(JobDocumentSamples.Root, "src", "Domain", file))))
            .Select(match => match.Groups[1].Value).ToHashSet();
        Assert.True(written.Count > 50);
        var tried = OfJobs.Select(one => one.Code).Concat(Nodes.RegistryCodeTests.Codes).Concat(FindingTests.Codes).ToHashSet();

        // Of accounts and documents: AccountTests and JobRefusalTests.
        string[] elsewhere = ["WRONG_DOCUMENT", "ACCOUNT_NOT_OPEN", "ACCOUNT_OPEN", "WRONG_AMOUNT", "INSUFFICIENT_MANA", "NOT_IN_ESCROW", "WRONG_REGENERATION"];
        Assert.Empty(written.Except(tried).Except(elsewhere));
    }

    [Fact]
    public void What_is_moved_from_one_member_to_another_is_another_statement()
    {
        var facts = Actors.Facts("w") with { Capabilities = ["a", "b"], Features = [] };
        WorkerEvent.Registered[] others =
        [
            facts with { Capabilities = ["ab"] }, facts with { Capabilities = ["a"], Features = ["b"] },
            facts with { Capabilities = ["b", "a"] }, facts with { Capabilities = ["a", "b", ""] },
        ];
        var digests = others.Prepend(facts).Select(body =>
            Actors.State(Actors.Worker, body, null, StreamId.OfWorker(Actors.Worker.Did), 1).Digest);
        Assert.Equal(5, digests.Distinct().Count());
        var signed = SignedEvent.Sign(
            Actors.Worker, [Actors.State(Actors.Worker, facts, null, StreamId.OfWorker(Actors.Worker.Did), 1)])[0];
        Assert.All(others, body => Assert.False(new SignedEvent(
            Actors.State(Actors.Worker, body, null, StreamId.OfWorker(Actors.Worker.Did), 1), signed.Signature, null).Verify()));
    }

    [GeneratedRegex("\"([A-Z]+(?:_[A-Z]+)+|MATCHED|STARTED|CANCELLED)\"")]
    private static partial Regex Code();

    private static Said Terms(Func<JobTerms, JobTerms> change) =>
        JobSpec.Submit().Changed<JobEvent.Submitted>(body => body with { Terms = change(body.Terms) });

    private static Said Free(FreeResources free) =>
        JobSpec.Bid(Actors.Worker, 1).Changed<JobEvent.BidPlaced>(body => body with { Free = free });

    private static Said Choice(Func<Selection, Selection> change) =>
        JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with { Selection = change(body.Selection) });

    private static Said Of(int attempt, Said said) =>
        said.Changed<JobEvent.ReceiptIssued>(body => body with { Attempt = attempt });

    private static Said Piece(Func<JobEvent.PartialOutputProduced, JobEvent.PartialOutputProduced> change) =>
        JobSpec.Output(1, "log", 0, "x").Changed(change);

    private static Said Guest(Func<GuestAccount, GuestAccount> change) => JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(
        body => body with { Receipt = body.Receipt with { Guest = change(VectorStory.Metered()) } });

    private static Said Output(Func<ReceiptOutput, ReceiptOutput> change) =>
        JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with
        {
            Receipt = body.Receipt with { Outputs = [change(body.Receipt.Outputs[0])] },
        });

    private static Said Told(Func<Receipt, Receipt> change) => JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(
        body => body with { Receipt = change(body.Receipt) });

    private static Said Attested(Func<Attestation, Attestation> change) => JobSpec.Receipt(null) with
    {
        Body = spec => spec.Attested(JobSpec.Receipt(null)) is var issued
            ? issued with { Attestation = change(issued.Attestation!) }
            : null!,
    };

    private static Said Paid(long paid, long refunded) => JobSpec.Complete().Changed<JobEvent.Completed>(
        body => body with { Outcomes = [body.Outcomes[0] with { Paid = paid }], Refunded = refunded });
}
