using MeshLedger.Crypto;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Nodes;

/// <summary>What may not be said of workers, federations and aid, by which code it is refused, and that nothing comes of
/// it.</summary>
public sealed class RegistryCodeTests
{
    private const string Template = """{"payload":{"data":{"a":1}},"x":"\u00e9"}""";
    private static readonly Digest Elsewhere = Digest.OfBytes("elsewhere"u8);
    private static readonly StreamId Third = StreamId.OfWorker(Actors.Third.Did);
    private static readonly StreamId North = StreamId.OfFederation("north");
    private static readonly StreamId Offer = Aid("01KAJ00000000000000000000A");
    private static readonly StreamId Request = Aid("01KAJ00000000000000000000B");
    private static readonly StreamId Answered = Aid("01KAJ00000000000000000000C");
    private static readonly StreamId Withdrawn = Aid("01KAJ00000000000000000000D");
    private static readonly StreamId Unused = Aid("01KAJ00000000000000000000E");
    private static readonly JobId Job = JobId.Parse("job-00000001");

    private readonly TestLedger _ledger = new();
    private readonly Dictionary<StreamId, Digest> _first = [];
    private Digest _latest;
    private int _number;

    public RegistryCodeTests()
    {
        Say(Actors.Node, new NodeEvent.Founded("home"), null, StreamId.Ledger);
        Say(Actors.Third, Facts(Actors.Stranger.Did), null, Third);
        _latest = Say(Actors.Third, Facts(Actors.Stranger.Did), null, Third);
        Say(Actors.Rival, Actors.Facts("worker-2"), null, StreamId.OfWorker(Actors.Rival.Did));
        Say(Actors.Rival, new WorkerEvent.Retired("sold"), First(StreamId.OfWorker(Actors.Rival.Did)), StreamId.OfWorker(Actors.Rival.Did));
        Say(Actors.North, new FederationEvent.Founded("north"), null, North);
        Say(Actors.Stranger, new AidEvent.TemplateRegistered("t", ["help", "more"], Template), null, Offer);
        Say(Actors.Stranger, new AidEvent.TemplateRegistered("t", ["help"], Template), null, Withdrawn);
        Say(Actors.Stranger, new AidEvent.TemplateWithdrawn(), First(Withdrawn), Withdrawn);
        Say(Actors.Submitter, new AidEvent.Requested(["help"], "{}"), null, Request);
        Say(Actors.Submitter, new AidEvent.Requested(["more"], "{}"), null, Answered);
        Say(Actors.Node, new AidEvent.Matched(First(Offer), Job), First(Answered), Answered);
    }

    public static IReadOnlyList<string> Codes { get; } =
    [
        "FOUNDED_ONCE", "NOT_A_NODE", "WRONG_STREAM", "WRONG_RESOURCES", "WORKER_RETIRED", "WRONG_CAUSE", "NOT_THE_OWNER",
        "NOT_THE_WORKER", "UNKNOWN_FEDERATION", "NOT_THE_FEDERATION", "WRONG_SCOPE", "WRONG_TAGS", "WRONG_PARAMETERS",
        "WRONG_DOCUMENT", "NOT_YOUR_TEMPLATE", "MATCHED", "WRONG_TEMPLATE",
    ];

    [Fact]
    public void Each_of_these_is_refused_by_its_code_and_changes_nothing()
    {
        var before = Picture();
        var tried = new HashSet<string>();
        foreach (var (code, by, body, cause, stream) in Refused())
        {
            var refusal = _ledger.Check(Make(by, body, cause, stream));
            Assert.True(code == refusal?.Code, $"{code} expected, {refusal} found: {body} in {stream}");
            tried.Add(code);
        }

        Assert.Equal(before, Picture());
        Assert.Empty(Codes.Except(tried));
    }

    [Fact]
    public void The_same_by_whom_it_concerns_is_accepted()
    {
        foreach (var (by, body, cause, stream) in new (SigningKey, LedgerEvent, Digest?, StreamId)[]
        {
            (Actors.Stranger, new WorkerEvent.Vouched(Actors.Third.Did), _latest, Third),
            (Actors.Stranger, new WorkerEvent.Draining("rest"), _latest, Third),
            (Actors.Third, new WorkerEvent.Draining("rest"), _latest, Third),
            (Actors.North, new FederationEvent.MembershipGranted(Actors.Third.Did, ["a", "b.c-d", "9"]), null, North),
            (Actors.North, new FederationEvent.MembershipRevoked(Actors.Third.Did, "left"), null, North),
            (Actors.Node, new AidEvent.Matched(First(Offer), Job), First(Request), Request),
            (Actors.Stranger, new AidEvent.TemplateWithdrawn(), First(Offer), Offer),
        })
        {
            Assert.Null(_ledger.Check(Make(by, body, cause, stream)));
        }

        Say(Actors.Stranger, new WorkerEvent.Vouched(Actors.Third.Did), _latest, Third);
        Assert.Equal([Actors.Third.Did], _ledger.Registry.WorkersOf(Actors.Stranger.Did));
        _latest = Say(Actors.Third, Facts(Actors.Submitter.Did), null, Third);
        Assert.Empty(_ledger.Registry.WorkersOf(Actors.Stranger.Did));
        Assert.Empty(_ledger.Registry.WorkersOf(Actors.Submitter.Did));
    }

    [Fact]
    public void A_standing_is_of_its_position()
    {
        var before = _ledger.Position;
        Say(Actors.Third, new WorkerEvent.Draining("rest"), _latest, Third);
        _latest = Say(Actors.Third, Facts(Actors.Stranger.Did), null, Third);
        Say(Actors.Third, new WorkerEvent.Retired("sold"), _latest, Third);
        Assert.Equal(
            [WorkerStanding.Active, WorkerStanding.Draining, WorkerStanding.Active, WorkerStanding.Retired],
            Enumerable.Range(0, 4).Select(i => _ledger.Registry.Standing(Actors.Third.Did, before + i)));
    }

    [Fact]
    public void A_request_goes_to_the_template_with_most_shared_tags_of_equals_the_oldest()
    {
        Assert.Equal((Request, Offer), Assert.Single(_ledger.Registry.Aid.Matches()) is var (request, template) ? (request.Stream, template.Stream) : default);
        Say(Actors.Stranger, new AidEvent.TemplateRegistered("t", ["help"], Template), null, Aid("01KAJ00000000000000000000F"));
        Say(Actors.Submitter, new AidEvent.Requested(["help", "more", "most", "HELP"], "{}"), null, Aid("01KAJ00000000000000000000G"));
        Say(Actors.Stranger, new AidEvent.TemplateRegistered("t", ["most", "more", "help"], Template), null, Unused);
        Assert.Equal([Offer, Unused], _ledger.Registry.Aid.Matches().Select(match => match.Template.Stream));
    }

    [Fact]
    public void A_match_fills_in_what_the_request_says_or_tells_what_is_wrong_with_it()
    {
        const string document = """{"version":"1.0","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"a":1,"b":[2]}},"x":1.50}""";
        var filled = AidBoard.Fill(Offered(document), Asked("""{"b":null,"c":{"d":1}}"""), Job, Actors.Time).Document;
        Assert.NotNull(filled);
        Assert.Equal("""{"a":1,"b":null,"c":{"d":1}}""", filled.PayloadData.GetRawText());
        Assert.Equal(Job, filled.JobId);
        foreach (var odd in new[] { "{}", "{\"payload\":1}", "{\"payload\":[]}", "{\"payload\":{\"data\":\"text\"}}", "{\"payload\":null}" })
        {
            Assert.NotEmpty(AidBoard.Fill(Offered(odd), Asked("""{"b":1}"""), Job, Actors.Time).Faults);
        }
    }

    private static IEnumerable<string> NoObjects() =>
    [
        "", "null", "[]", "1", "{", "{}{}", "{\"a\":1,\"a\":2}", "{\"b\":{\"a\":1,\"\\u0061\":2}}", "{\"a\":\"\\ud800\"}",
        "{\"\\udc00\":1}", new string('[', 70),
    ];

    private IEnumerable<(string Code, SigningKey By, LedgerEvent Body, Digest? Cause, StreamId Stream)> Refused()
    {
        var third = Actors.Third.Did;
        var facts = Facts(Actors.Stranger.Did);
        yield return ("FOUNDED_ONCE", Actors.Stranger, new NodeEvent.Founded("mine"), null, StreamId.Ledger);
        yield return ("NOT_A_NODE", Actors.Stranger, new NodeEvent.Admitted(Actors.Stranger.Did), null, StreamId.OfNode(Actors.Stranger.Did));
        yield return ("WRONG_STREAM", Actors.Stranger, new NodeEvent.Joined("x"), null, StreamId.OfNode(Actors.Node.Did));
        foreach (var resources in new[] { new WorkerResources(-1, 1, 1, 1), new(1, -1, 1, 1), new(1, 1, -1, 1), new(1, 1, 1, -1) })
        {
            yield return ("WRONG_RESOURCES", Actors.Third, facts with { Resources = resources }, null, Third);
        }

        yield return ("WRONG_RESOURCES", Actors.Third, facts with { MaxConcurrentJobs = -1 }, null, Third);
        yield return ("WRONG_STREAM", Actors.Stranger, facts, null, Third);
        yield return ("WRONG_STREAM", Actors.Third, facts, _latest, Third);
        yield return ("WRONG_STREAM", Actors.Third, facts, null, North);
        yield return ("WORKER_RETIRED", Actors.Rival, Actors.Facts("again"), null, StreamId.OfWorker(Actors.Rival.Did));
        yield return ("WORKER_RETIRED", Actors.Rival, new WorkerEvent.Draining(""), First(StreamId.OfWorker(Actors.Rival.Did)), StreamId.OfWorker(Actors.Rival.Did));
        yield return ("WRONG_CAUSE", Actors.Third, new WorkerEvent.Draining(""), First(Third), Third);
        yield return ("WRONG_CAUSE", Actors.Third, new WorkerEvent.Retired(""), Elsewhere, Third);
        yield return ("WRONG_CAUSE", Actors.Worker, new WorkerEvent.Retired(""), null, StreamId.OfWorker(Actors.Worker.Did));
        yield return ("NOT_THE_OWNER", Actors.Third, new WorkerEvent.Vouched(third), _latest, Third);
        yield return ("NOT_THE_OWNER", Actors.Submitter, new WorkerEvent.Vouched(third), _latest, Third);
        yield return ("NOT_THE_OWNER", Actors.Stranger, new WorkerEvent.Vouched(Actors.Rival.Did), _latest, Third);
        yield return ("NOT_THE_WORKER", Actors.Node, new WorkerEvent.Retired(""), _latest, Third);
        yield return ("NOT_THE_WORKER", Actors.Rival, new WorkerEvent.Draining(""), _latest, Third);

        yield return ("FOUNDED_ONCE", Actors.Stranger, new FederationEvent.Founded("north"), null, North);
        yield return ("FOUNDED_ONCE", Actors.Stranger, new FederationEvent.Founded("north"), null, StreamId.OfFederation("south"));
        yield return ("WRONG_STREAM", Actors.Stranger, new FederationEvent.Founded("North"), null, StreamId.Parse("federation-North"));
        yield return ("WRONG_STREAM", Actors.North, new FederationEvent.MembershipGranted(third, []), null, Third);
        yield return ("UNKNOWN_FEDERATION", Actors.North, new FederationEvent.MembershipGranted(third, []), null, StreamId.OfFederation("south"));
        yield return ("NOT_THE_FEDERATION", Actors.Third, new FederationEvent.MembershipGranted(third, ["medical"]), null, North);
        yield return ("NOT_THE_FEDERATION", Actors.Node, new FederationEvent.MembershipRevoked(third, ""), null, North);
        foreach (var scope in new[] { "", "A", "a/b", "-a", "a.", new string('a', 64) })
        {
            yield return ("WRONG_SCOPE", Actors.North, new FederationEvent.MembershipGranted(third, ["ok", scope]), null, North);
        }

        ValueList<string>[] tags = [[], [""], [new string('a', 129)], ValueList.From(Enumerable.Repeat("a", 65))];
        foreach (var wrong in tags)
        {
            yield return ("WRONG_TAGS", Actors.Submitter, new AidEvent.Requested(wrong, "{}"), null, Unused);
            yield return ("WRONG_TAGS", Actors.Submitter, new AidEvent.TemplateRegistered("", wrong, "{}"), null, Unused);
        }

        foreach (var json in NoObjects())
        {
            yield return ("WRONG_PARAMETERS", Actors.Submitter, new AidEvent.Requested(["a"], json), null, Unused);
            yield return ("WRONG_DOCUMENT", Actors.Submitter, new AidEvent.TemplateRegistered("", ["a"], json), null, Unused);
        }

        var large = $"{{\"a\":\"{new string('x', AidBoard.MaxParametersLength)}\"}}";
        yield return ("WRONG_PARAMETERS", Actors.Submitter, new AidEvent.Requested(["a"], large), null, Unused);
        yield return ("WRONG_STREAM", Actors.Submitter, new AidEvent.Requested(["a"], "{}"), null, Request);
        yield return ("WRONG_STREAM", Actors.Submitter, new AidEvent.Requested(["a"], "{}"), First(Offer), Unused);
        yield return ("WRONG_STREAM", Actors.Submitter, new AidEvent.Requested(["a"], "{}"), null, StreamId.Parse("aid-1"));
        yield return ("NOT_YOUR_TEMPLATE", Actors.Submitter, new AidEvent.TemplateWithdrawn(), First(Offer), Offer);
        yield return ("NOT_YOUR_TEMPLATE", Actors.Stranger, new AidEvent.TemplateWithdrawn(), First(Request), Offer);
        yield return ("NOT_YOUR_TEMPLATE", Actors.Stranger, new AidEvent.TemplateWithdrawn(), First(Withdrawn), Withdrawn);
        yield return ("NOT_YOUR_TEMPLATE", Actors.Submitter, new AidEvent.TemplateWithdrawn(), First(Request), Request);
        yield return ("NOT_A_NODE", Actors.Submitter, new AidEvent.Matched(First(Offer), Job), First(Request), Request);
        yield return ("MATCHED", Actors.Node, new AidEvent.Matched(First(Offer), Job), First(Answered), Answered);
        yield return ("MATCHED", Actors.Node, new AidEvent.Matched(First(Offer), Job), First(Answered), Request);
        yield return ("MATCHED", Actors.Node, new AidEvent.Matched(First(Offer), Job), null, Unused);
        yield return ("WRONG_TEMPLATE", Actors.Node, new AidEvent.Matched(First(Withdrawn), Job), First(Request), Request);
        yield return ("WRONG_TEMPLATE", Actors.Node, new AidEvent.Matched(First(Request), Job), First(Request), Request);
        yield return ("WRONG_TEMPLATE", Actors.Node, new AidEvent.Matched(Elsewhere, Job), First(Request), Request);
    }

    /// <summary>All that the registry tells.</summary>
    private string Picture() => string.Join('\n',
        [
            .. _ledger.Registry.Workers.Select(worker => $"{worker} {_ledger.Registry.Standing(worker.Worker, long.MaxValue)}").Order(StringComparer.Ordinal),
            .. _ledger.Registry.Federations.All.Select(one => $"{one} {string.Join(',', _ledger.Registry.Federations.Members(one.Name))}"),
            .. _ledger.Registry.Aid.Requests.Select(one => one.ToString()),
            .. _ledger.Registry.Aid.Templates.Select(one => one.ToString()),
        ]);

    private static WorkerEvent.Registered Facts(Did owner) => Actors.Facts("worker-3") with { Owner = owner };

    private static AidTemplate Offered(string document) =>
        new(Offer, Elsewhere, Actors.Stranger.Did, Actors.Time, "t", ["help"], document, false);

    private static AidRequest Asked(string parameters) =>
        new(Request, Elsewhere, Actors.Submitter.Did, Actors.Time, ["help"], parameters, null);

    private static StreamId Aid(string id) => StreamId.OfAid(Ulid.Parse(id));

    private Digest First(StreamId stream) => _first[stream];

    private Digest Say(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var statement = Make(by, body, cause, stream);
        Assert.Null(_ledger.Check(statement));
        _ledger.Take(statement);
        _first.TryAdd(stream, statement.Digest);
        return statement.Digest;
    }

    private Statement Make(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream) =>
        Actors.State(by, body, cause, stream, ++_number);
}
