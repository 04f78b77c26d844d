using System.Text;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Transports.Tests.Compliance;

/// <summary>The promises of <c>ITransport</c>, which every transport keeps. A transport's own test class derives from
/// this and brings its harness.</summary>
public abstract class TransportCompliance : IAsyncLifetime
{
    private ITransportHarness? _harness;

    protected ITransportHarness Harness => _harness!;

    protected IIntakeUnderTest Node { get; private set; } = null!;

    protected virtual IIntakeUnderTest CreateIntake() => new ScriptedIntake();

    protected abstract ITransportHarness CreateHarness(IIntakeUnderTest node);

    public Task InitializeAsync()
    {
        Node = CreateIntake();
        _harness = CreateHarness(Node);
        return Harness.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await Harness.DisposeAsync();
        await Node.DisposeAsync();
    }

    [Fact]
    public async Task A_document_is_answered_with_its_result()
    {
        await Harness.DeliverAsync("one", Node.Succeeding(Id("one")));
        var result = Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("one"));
        Assert.True(result.Succeeded);
        Assert.Equal(await ResultTextAsync(Id("one")), result.Json);
        Assert.Empty(await Harness.UnansweredAsync());
    }

    [Fact]
    public async Task A_failed_job_is_answered_with_its_result()
    {
        await Harness.DeliverAsync("one", Node.Failing(Id("one")));
        var result = Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("one"));
        Assert.False(result.Succeeded);
        Assert.Equal(await ResultTextAsync(Id("one")), result.Json);
    }

    private static readonly Dictionary<string, byte[]> Bad = new()
    {
        { "nothing", [] },
        { "no JSON", "hello"u8.ToArray() },
        { "cut off", "{\"version\": \"1.0\", \"job_id\": \"job-1234"u8.ToArray() },
        { "not UTF-8", [(byte)'{', (byte)'"', 0xFF, 0xFE, (byte)'"', (byte)':', (byte)'1', (byte)'}'] },
        { "an empty object", "{}"u8.ToArray() },
        { "an array", "[]"u8.ToArray() },
        { "null", "null"u8.ToArray() },
        { "zeroes", new byte[4096] },
        { "too deep", Encoding.ASCII.GetBytes(new string('[', 100_000)) },
        { "a path as id", "{\"version\":\"1.0\",\"job_id\":\"../../../../tmp/x\"}"u8.ToArray() },
        { "too large", Large(JobDocument.MaxBytes + 1) },
        { "far too large", Large(8 * JobDocument.MaxBytes) },
    };

    // Names alone, since test discovery writes the values of a theory out.
    public static TheoryData<string> BadDocuments => [.. Bad.Keys];

    [Theory]
    [MemberData(nameof(BadDocuments))]
    public async Task A_bad_document_is_rejected_with_its_faults_and_stops_nobody(string what)
    {
        await Harness.DeliverAsync("bad", Bad[what]);
        await Harness.DeliverAsync("good", Node.Succeeding(Id("good")));
        var rejected = Assert.IsType<DeliveryAnswer.Rejected>(await Harness.AnswerAsync("bad"));
        Assert.True(rejected.Faults.Count > 0, what);
        Assert.Equal("INVALID_DOCUMENT", rejected.Code);
        Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("good"));
        Assert.Equal(1, Node.Jobs);
    }

    [Fact]
    public async Task Every_fault_of_a_document_is_told()
    {
        var document = """{"version":"1.0","job_id":"short","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation"}""";
        await Harness.DeliverAsync("bad", Encoding.UTF8.GetBytes(document));
        var rejected = Assert.IsType<DeliveryAnswer.Rejected>(await Harness.AnswerAsync("bad"));
        var expected = JobDocumentReader.Read(Encoding.UTF8.GetBytes(document)).Faults;
        Assert.Equal(expected, rejected.Faults);
        Assert.True(expected.Count >= 3);
    }

    [Fact]
    public async Task The_same_content_delivered_twice_is_one_job_and_two_answers()
    {
        await Harness.DeliverAsync("first", Node.Succeeding(Id("one")));
        await Harness.DeliverAsync("second", Node.Succeeding(Id("one")));
        Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("first"));
        Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("second"));
        Assert.Equal(1, Node.Jobs);
    }

    [Fact]
    public async Task Another_content_under_a_taken_id_is_refused()
    {
        await Harness.DeliverAsync("first", Node.Succeeding(Id("one")));
        var first = Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("first"));
        await Harness.DeliverAsync("second", Node.Succeeding(Id("one"), "something else"));
        var refused = Assert.IsType<DeliveryAnswer.Rejected>(await Harness.AnswerAsync("second"));
        Assert.NotEqual("INVALID_DOCUMENT", refused.Code);
        Assert.NotEmpty(refused.Message);
        Assert.True(first.Succeeded);
        Assert.Equal(1, Node.Jobs);
    }

    [Fact]
    public async Task A_repeated_idempotency_key_is_answered_by_the_first_job()
    {
        await Harness.DeliverAsync("first", Node.Succeeding(Id("one"), "a", "key-1"));
        await Harness.AnswerAsync("first");
        await Harness.DeliverAsync("second", Node.Succeeding(Id("two"), "b", "key-1"));
        var second = Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("second"));
        Assert.Equal(await ResultTextAsync(Id("one")), second.Json);
        Assert.Equal(1, Node.Jobs);
    }

    [Fact]
    public async Task What_was_taken_before_a_kill_is_answered_after_the_restart()
    {
        Node.Hold();
        await Harness.DeliverAsync("one", Node.Succeeding(Id("one")));
        await Harness.DeliverAsync("two", Node.Failing(Id("two")));
        await Node.SubmittedAsync(Id("one"));
        await Node.SubmittedAsync(Id("two"));
        await Harness.KillAsync();
        Assert.Equal(2, (await Harness.UnansweredAsync()).Count);

        Node.Release();
        await Harness.StartAsync();
        Assert.True(Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("one")).Succeeded);
        Assert.False(Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("two")).Succeeded);
        Assert.Equal(2, Node.Jobs);
    }

    [Fact]
    public async Task What_was_delivered_while_down_is_answered_after_the_start()
    {
        if (!Harness.TakesWhileDown)
        {
            return;
        }

        await Harness.KillAsync();
        await Harness.DeliverAsync("one", Node.Succeeding(Id("one")));
        await Harness.DeliverAsync("bad", "{}"u8.ToArray());
        await Harness.StartAsync();
        Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync("one"));
        Assert.IsType<DeliveryAnswer.Rejected>(await Harness.AnswerAsync("bad"));
    }

    [Fact]
    public async Task An_answered_delivery_is_not_taken_again_after_a_restart()
    {
        await Harness.DeliverAsync("one", Node.Succeeding(Id("one")));
        await Harness.AnswerAsync("one");
        await Harness.KillAsync();
        await Harness.StartAsync();
        await Harness.DeliverAsync("two", Node.Succeeding(Id("two")));
        await Harness.AnswerAsync("two");
        Assert.Equal(2, Node.Jobs);
        Assert.Empty(await Harness.UnansweredAsync());
    }

    [Fact]
    public async Task Many_at_once_are_all_answered()
    {
        var tickets = Enumerable.Range(0, 300).Select(i => $"many-{i}").ToList();
        foreach (var ticket in tickets)
        {
            await Harness.DeliverAsync(ticket, Node.Succeeding(Id(ticket), new string('x', 1000)));
        }

        foreach (var ticket in tickets)
        {
            var result = Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync(ticket));
            Assert.Contains($"\"{Id(ticket)}\"", result.Json, StringComparison.Ordinal);
        }

        Assert.Equal(tickets.Count, Node.Jobs);
    }

    [Fact]
    public async Task It_can_be_stopped_at_any_time_and_loses_nothing()
    {
        var tickets = Enumerable.Range(0, 200).Select(i => $"many-{i}").ToList();
        foreach (var (index, ticket) in tickets.Index())
        {
            await Harness.DeliverAsync(ticket, Node.Succeeding(Id(ticket)));
            if (index % 40 == 20)
            {
                await Harness.KillAsync();
                await Harness.StartAsync();
            }
        }

        foreach (var ticket in tickets)
        {
            Assert.IsType<DeliveryAnswer.Result>(await Harness.AnswerAsync(ticket));
        }

        Assert.Equal(tickets.Count, Node.Jobs);
    }

    protected static JobId Id(string name) => JobId.Parse("job-of-" + name);

    protected async Task<string> ResultTextAsync(JobId jobId) =>
        Encoding.UTF8.GetString((await Node.Intake.ResultAsync(jobId, CancellationToken.None)).Json.Span);

    private static byte[] Large(int size)
    {
        var document = new byte[size];
        document.AsSpan().Fill((byte)' ');
        document[0] = (byte)'{';
        document[^1] = (byte)'}';
        return document;
    }
}
