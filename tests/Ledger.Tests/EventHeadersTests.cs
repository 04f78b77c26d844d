using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Tests;

public sealed class EventHeadersTests
{
    private static readonly SigningKey Key = SigningKey.FromSeed(new byte[32]);
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, 456, 789, TimeSpan.Zero);

    [Fact]
    public void What_was_written_is_read_back()
    {
        foreach (var size in new[] { 1, 2, 3, 100 })
        {
            foreach (var signed in Batch(size))
            {
                var json = EventHeaders.Write(signed);
                var headers = Read(json);
                Assert.Equal(signed.Statement.By, headers.By);
                Assert.Equal(signed.Statement.Cause, headers.Cause);
                Assert.Equal(signed.Digest, headers.Digest);
                Assert.Equal(signed.Signature.ToArray(), headers.Signature);
                Assert.Equal(signed.Statement.Time, headers.Time);
                Assert.Equal(signed.Proof?.Index, headers.Proof?.Index);
                Assert.Equal(signed.Proof?.Size, headers.Proof?.Size);
                Assert.Equal(signed.Proof?.Path, headers.Proof?.Path);
                Assert.Equal(json, Encoding.UTF8.GetString(CanonicalJson.Canonicalize(Encoding.UTF8.GetBytes(json))));
            }
        }
    }

    [Fact]
    public void Any_flipped_bit_of_the_headers_is_found()
    {
        foreach (var signed in new[] { Batch(1)[0], Batch(5)[0], Batch(5)[4] })
        {
            var row = Row(signed);
            Assert.True(Verifies(row));
            for (var bit = 0; bit < row.Headers!.Length * 8; bit++)
            {
                var changed = (byte[])row.Headers.Clone();
                changed[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.True(
                    !Verifies(row with { Headers = changed }) || SaysTheSameWay(signed, changed),
                    Encoding.UTF8.GetString(changed));
            }
        }
    }

    [Fact]
    public void Any_flipped_bit_of_the_other_columns_is_found()
    {
        var row = Row(Batch(5)[2]);
        for (var bit = 0; bit < row.Data.Length * 8; bit++)
        {
            var data = (byte[])row.Data.Clone();
            data[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Verifies(row with { Data = data }));
        }

        for (var bit = 0; bit < 128; bit++)
        {
            var id = row.Id.ToByteArray();
            id[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Verifies(row with { Id = new Guid(id) }));
        }

        foreach (var text in new[] { "", "b", "account-b", "account b" })
        {
            Assert.False(Verifies(row with { Stream = text }));
            Assert.False(Verifies(row with { Type = text }));
        }

        Assert.False(Verifies(row with { Headers = null }));
    }

    [Fact]
    public void Headers_that_are_not_of_their_shape_are_refused()
    {
        var json = EventHeaders.Write(Batch(3)[1]);
        (string Old, string New)[] changes =
        [
            ("{\"by\"", "[{\"by\""), ("{\"by\"", "{\"more\":1,\"by\""), ("{\"by\"", "{\"By\""), ("\"by\":\"did", "\"by\":\"dis"),
            ("\"cause\":\"", "\"cause\":\"x"), ("\"cause\":", "\"cause\":1,\"x\":"), ("\"digest\":\"", "\"digest\":\"A"),
            ("\"index\":1", "\"index\":1.5"), ("\"index\":1", "\"index\":\"1\""), ("\"index\":1", "\"index\":null"),
            ("\"index\":1,", ""), ("\"size\":3", "\"size\":3,\"size\":3"), ("\"size\":3", "\"size\":99999999999"),
            (",\"size\":3", ""), ("\"path\":[", "\"path\":[null,"), ("\"path\":[", "\"path\":[\"AA==\","),
            ("\"path\":[", "\"path\":{},\"x\":["), ("\"proof\":{", "\"proof\":[{"), ("\"proof\":{", "\"proof\":null,\"x\":{"),
            ("\"sig\":\"", "\"sig\":\"="), ("\"sig\":\"", "\"sig\":null,\"x\":\""), ("\"sig\":", "\"signature\":"),
            ("456789Z", "45678Z"), ("456789Z", "456789+00:00"), ("\"time\":", "\"time\":1,\"x\":"), ("Z\"}", "Z\""), ("Z\"}", "Z\",\"time\":\"2026-11-21T01:02:03.456789Z\"}"),
        ];
        Assert.All(changes, change =>
        {
            var changed = json.Replace(change.Old, change.New, StringComparison.Ordinal);
            Assert.NotEqual(json, changed);
            Assert.Throws<FormatException>(() => Read(changed));
        });
        Assert.All(["", "null", "[]", "{}", "1", "\"x\"", "{", "{\"by\":"], text => Assert.Throws<FormatException>(() => Read(text)));
    }

    [Fact]
    public void Base64_has_one_spelling()
    {
        var signed = Batch(1)[0];
        var json = EventHeaders.Write(signed);
        var sig = Convert.ToBase64String(signed.Signature.Span);
        Assert.EndsWith("==", sig, StringComparison.Ordinal);
        var last = sig[^3];
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        var other = alphabet[alphabet.IndexOf(last, StringComparison.Ordinal) + 1];
        Assert.Equal(Convert.FromBase64String(sig), Convert.FromBase64String($"{sig[..^3]}{other}=="));
        Assert.Throws<FormatException>(
            () => Read(json.Replace($"{last}==", $"{other}==", StringComparison.Ordinal)));
    }

    /// <summary>Index and size are not signed as numbers: another pair may say the same way to the same root.</summary>
    private static bool SaysTheSameWay(SignedEvent signed, byte[] changed)
    {
        var (before, after) = (signed.Proof, EventHeaders.Read(changed).Proof);
        return before is not null && after is not null && (before.Index, before.Size) != (after.Index, after.Size);
    }

    private static EventHeaders Read(string json) => EventHeaders.Read(Encoding.UTF8.GetBytes(json));

    private static bool Verifies(EventRow row)
    {
        try
        {
            row.ToVerifiedEvent(new BatchVerifier());
            return true;
        }
        catch (InvalidHistoryException)
        {
            return false;
        }
    }

    private static EventRow Row(SignedEvent signed)
    {
        var statement = signed.Statement;
        return new EventRow(
            1, statement.Id.Value, statement.Stream.ToString(), 1, statement.Data.ToArray(), statement.Type, Time,
            Encoding.UTF8.GetBytes(EventHeaders.Write(signed)), statement.Cause?.ToString());
    }

    private static SignedEvent[] Batch(int size) => SignedEvent.Sign(Key, [.. Enumerable.Range(0, size).Select(i => EventCodec.State(
        new AccountEvent.Opened(i, 0, 0), Key.Did, i % 2 == 0 ? null : Digest.OfBytes([(byte)i]), StreamId.Parse("account-a"),
        EventId.New(Time), Time))]);
}
