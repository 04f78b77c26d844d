using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Nodes;

namespace MeshLedger.Domain.Tests.Events;

public sealed class EventCodecTests
{
    private static readonly string Receipt = Encoding.UTF8.GetString(VectorStory.Tell()
        .First(told => told.Event.Statement.Type == "receipt_issued").Event.Statement.Data.Span);

    [Fact]
    public void Every_kind_of_event_has_one_wire_name_in_snake_case()
    {
        var kinds = typeof(LedgerEvent).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(LedgerEvent)) && !type.IsAbstract);
        Assert.Equal(
            kinds.Select(type => type.FullName).Order(StringComparer.Ordinal),
            EventCodec.Kinds.Select(kind => kind.ClrType.FullName).Order(StringComparer.Ordinal));
        Assert.Equal(EventCodec.Kinds.Count, EventCodec.Kinds.Select(kind => kind.Type).Distinct().Count());
        Assert.All(EventCodec.Kinds, kind =>
        {
            Assert.Matches(new Regex("^[a-z]+(_[a-z0-9]+)*$"), kind.Type);
            Assert.Equal(kind.ClrType, Type.GetType(EventCodec.DotnetTypeOf(kind.Type)));
        });
        Assert.Equal("", EventCodec.DotnetTypeOf("unheard_of"));
    }

    [Fact]
    public void Every_body_is_read_back_as_it_was_written() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var bodies = new RandomBody(new Random(seed));
            foreach (var kind in EventCodec.Kinds)
            {
                var body = bodies.Of(kind.ClrType);
                var statement = Actors.State(Actors.Node, body, null, StreamId.Ledger, 1);
                Assert.Equal(body, EventCodec.Read(statement.Type, statement.Data.Span));
                Assert.Equal(kind.Type, EventCodec.TypeOf(body));
                Assert.Equal(statement.Data.ToArray(), CanonicalJson.Canonicalize(statement.Data.Span));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void An_unknown_type_is_refused() => Refused("job_vanished", "{}");

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("1")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":null}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":\"1\"}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1.5}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":true}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1,\"grant\":1}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1,\"more\":1}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"Grant\":1}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1}{}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1,}")]
    [InlineData("{\"regeneration_per_minute\":0,\"regeneration_cap\":0,\"grant\":1/**/}")]
    public void What_is_not_of_the_shape_is_refused(string data) => Refused("account_opened", data);

    [Fact]
    public void A_receipt_without_outputs_or_with_a_null_among_them_is_refused()
    {
        EventCodec.Read("receipt_issued", Encoding.UTF8.GetBytes(Receipt));
        Refused("receipt_issued", Regex.Replace(Receipt, "\"outputs\":\\[.*?\\],\"peak", "\"outputs\":null,\"peak"));
        Refused("receipt_issued", Regex.Replace(Receipt, "\"outputs\":\\[.*?\\],\"peak", "\"peak"));
        Refused("receipt_issued", Regex.Replace(Receipt, "\"outputs\":\\[.*?\\],\"peak", "\"outputs\":[null],\"peak"));
        Refused("receipt_issued", Receipt.Replace("\"exit_code\":0,", "", StringComparison.Ordinal));
    }

    [Fact]
    public void Ids_digests_and_times_are_read_strictly()
    {
        var did = Actors.Node.Did.ToString();
        Refused("node_admitted", "{\"node\":null}");
        Refused("node_admitted", "{\"node\":1}");
        Refused("node_admitted", $"{{\"node\":\"{did}1\"}}");
        Refused("node_admitted", $"{{\"node\":\"{did[..^1]}é\"}}");
        Refused("idempotency_key_claimed", "{\"job_id\":\"short\"}");
        Refused("idempotency_key_claimed", "{\"job_id\":\"with/slash\"}");
        EventCodec.Read("bidding_opened", Opening("2026-11-21T01:02:03.123456Z"));
        foreach (var time in new[]
        {
            "2026-11-21T01:02:03Z", "2026-11-21T01:02:03.1234567Z", "2026-11-21T01:02:03.123456+00:00", "2026-11-21T01:02:03.123456",
            "2026-11-21 01:02:03.123456Z", " 2026-11-21T01:02:03.123456Z", "2026-02-30T01:02:03.123456Z", "",
        })
        {
            Assert.Throws<FormatException>(() => EventCodec.Read("bidding_opened", Opening(time)));
        }
    }

    [Fact]
    public void A_body_that_no_event_can_hold_is_refused_before_it_is_signed()
    {
        foreach (var name in new[] { "a\0b", "\ud800", "a\udc00b", "\ud83d", "\ude00\ud83d", "\ud83d\ud83d\ude00" })
        {
            Assert.Throws<FormatException>(() => State(new NodeEvent.Joined(name)));
        }

        Assert.Throws<FormatException>(() => State(new AccountEvent.Opened(CanonicalJson.MaxInteger + 1, 0, 0)));
        Assert.Throws<FormatException>(() => State(Actors.Facts("w") with { Operations = ["\ud800"] }));
        Assert.Equal(
            new NodeEvent.Joined("a\ud83d\ude00b"), EventCodec.Read(State(new NodeEvent.Joined("a\ud83d\ude00b"))));
    }

    private static byte[] Opening(string time) => Encoding.UTF8.GetBytes(
        $"{{\"attempt\":1,\"closes_at\":\"{time}\",\"escrow\":1,\"submitter_reputation\":0}}");

    private static Statement State(LedgerEvent body) => Actors.State(Actors.Node, body, null, StreamId.Ledger, 1);

    private static void Refused(string type, string data) =>
        Assert.Throws<FormatException>(() => EventCodec.Read(type, Encoding.UTF8.GetBytes(data)));
}
