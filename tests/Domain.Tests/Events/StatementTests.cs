using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Tests.Events;

public sealed class StatementTests
{
    private static readonly EventId Id = EventId.New(Actors.Time);

    [Fact]
    public void A_statement_is_canonical_whatever_the_spelling_of_its_data()
    {
        var one = Create("""{ "b": [1, "\u00e9"], "a": null }""");
        var same = Create("""{"a":null,"b":[1,"é"]}""");
        Assert.Equal(one.Digest, same.Digest);
        Assert.Equal(one.Canonical.ToArray(), CanonicalJson.Canonicalize(one.Canonical.Span));
        Assert.Equal(MerkleTree.LeafHash(one.Canonical.Span), one.Digest);
        Assert.Equal("""{"a":null,"b":[1,"é"]}""", Encoding.UTF8.GetString(one.Data.Span));
    }

    [Fact]
    public void Time_is_cut_to_microseconds_in_utc()
    {
        var statement = Statement.Create(
            Actors.Node.Did, null, "{}"u8, Id, StreamId.Ledger,
            new DateTimeOffset(2026, 1, 1, 1, 0, 0, TimeSpan.FromHours(2)).AddTicks(19), "a");
        Assert.Contains("\"time\":\"2025-12-31T23:00:00.000001Z\"", statement.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_statement_needs_all_its_parts()
    {
        Refused(by: default(Did));
        Refused(id: default(EventId));
        Refused(stream: default(StreamId));
        Refused(cause: default(Digest));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Job")]
    [InlineData("job-x")]
    [InlineData("jöb")]
    [InlineData("a\"b")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_type_is_lower_case_letters_digits_and_underscores(string type) => Refused(type: type);

    [Fact]
    public void An_id_is_a_uuid_of_version_7() =>
        Refused(id: new EventId(Guid.Parse("6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b")));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("{\"a\":1.5}")]
    [InlineData("{\"a\":\"\\u0000\"}")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"a\":1,\"a\":1}")]
    [InlineData("{} {}")]
    public void Data_is_an_object_that_has_a_canonical_form(string data) =>
        Assert.Throws<FormatException>(() => Create(data));

    [Fact]
    public void A_statement_has_at_most_eight_mebibytes() =>
        Assert.Throws<FormatException>(() => Create($"{{\"a\":\"{new string('a', Statement.MaxBytes)}\"}}"));

    [Theory]
    [InlineData("0190163d-8694-7000-8000-000000000001", true)]
    [InlineData("0190163D-8694-7000-8000-000000000001", false)]
    [InlineData("0190163d-8694-4000-8000-000000000001", false)]
    [InlineData("0190163d-8694-7000-c000-000000000001", false)]
    [InlineData("0190163d-8694-7000-0000-000000000001", false)]
    [InlineData("{0190163d-8694-7000-8000-000000000001}", false)]
    [InlineData("0190163d869470008000000000000001", false)]
    [InlineData("", false)]
    public void Event_ids_have_one_spelling(string text, bool valid)
    {
        Assert.Equal(valid, EventId.TryParse(text, out var id));
        Assert.Equal(valid ? text : Guid.Empty.ToString(), id.ToString());
    }

    [Fact]
    public void Streams_know_what_they_are_of()
    {
        var did = Actors.Node.Did;
        Assert.True(StreamId.OfAccount(did).IsAccount(out var owner) && owner == did);
        Assert.True(StreamId.OfWorker(did).IsWorker(out var worker) && worker == did);
        Assert.True(StreamId.OfNode(did).IsNode(out var node) && node == did);
        Assert.True(StreamId.OfKey(Digest.OfBytes([])).IsKey);
        Assert.True(StreamId.Parse("job-12345678").IsJob(out var job) && job.ToString() == "12345678");
        Assert.False(StreamId.OfAccount(did).IsWorker(out _));
        Assert.False(StreamId.Parse("job-short").IsJob(out _));
        Assert.False(StreamId.Parse("account-" + did.ToString()[..^1]).IsAccount(out _));
        Assert.Equal(
            ["account", "ledger", "job", ""],
            new[] { StreamId.OfAccount(did), StreamId.Ledger, StreamId.Parse("job-a-b"), default }.Select(id => id.Kind));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("ä")]
    [InlineData("a\"")]
    [InlineData(null)]
    public void A_stream_s_name_needs_no_escape(string? text)
    {
        Assert.False(StreamId.TryParse(text, out _));
        Assert.Throws<FormatException>(() => StreamId.Parse(text));
        Assert.False(StreamId.TryParse(new string('a', 201), out _));
    }

    [Fact]
    public void A_statement_is_read_from_the_bytes_that_were_hashed_and_from_no_others()
    {
        foreach (var statement in VectorStory.Tell().Select(told => told.Event.Statement))
        {
            Assert.True(Statement.TryParse(statement.Canonical, out var read));
            Assert.Equal(statement.Digest, read!.Digest);
            Assert.Equal(statement.Body, read.Body);
            var text = statement.ToString();
            foreach (var other in new[]
            {
                "", "null", "[]", text[..^1], text + "\n", " " + text, text.Replace("\"by\":", "\"by\": ", StringComparison.Ordinal),
                text.Replace("\"type\":", "\"Type\":", StringComparison.Ordinal),
                text.Replace("\"id\":\"", "\"id\":null,\"x\":\"", StringComparison.Ordinal),
                text.Replace("{\"by\":", "{\"a\":1,\"by\":", StringComparison.Ordinal),
                text.Replace("{\"by\":", "{\"by\":1,\"by\":", StringComparison.Ordinal),
                text.Replace("\"data\":{", "\"data\":[{", StringComparison.Ordinal),
                text.Replace("\"stream\":\"", "\"stream\":\"\\ud800", StringComparison.Ordinal),
                $$"""{"by":{{new string('[', 100_000)}}""",
            })
            {
                Assert.False(Statement.TryParse(Encoding.UTF8.GetBytes(other), out _), other);
            }
        }

        Assert.False(Statement.TryParse(new byte[Statement.MaxBytes + 1], out _));
    }

    private static Statement Create(string data) => Statement.Create(
        Actors.Node.Did, null, Encoding.UTF8.GetBytes(data), Id, StreamId.Ledger, Actors.Time, "test_event");

    private static void Refused(
        Did? by = null, Digest? cause = null, EventId? id = null, StreamId? stream = null, string type = "test_event") =>
        Assert.Throws<FormatException>(() => Statement.Create(
            by ?? Actors.Node.Did, cause, "{}"u8, id ?? Id, stream ?? StreamId.Ledger, Actors.Time, type));
}
