using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

public sealed class LogEntryTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);
    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)5, 32)]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(300)]
    public void An_entry_is_canonical_and_is_read_as_it_was_written(int batch)
    {
        foreach (var recorded in Events(batch))
        {
            var bytes = LogEntry.Write(recorded);
            Assert.Equal(bytes, CanonicalJson.Canonicalize(bytes));
            Assert.True(LogEntry.TryRead(bytes, out var entry));
            Assert.Equal(
                (recorded.Position, recorded.Version, recorded.Event.Digest, Key.Did, "account_opened"),
                (entry!.Position, entry.Version, entry.Digest, entry.By, entry.Type));
            Assert.True(entry.IsSigned);
            Assert.Equal(batch > 1, Encoding.UTF8.GetString(bytes).Contains("\"proof\"", StringComparison.Ordinal));
            Assert.DoesNotContain("data", Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4096)]
    public void The_quick_way_writes_what_the_general_one_does(int batch)
    {
        foreach (var recorded in Events(batch).Take(20))
        {
            var (statement, signed) = (recorded.Statement, recorded.Event);
            foreach (var type in (string[])["account_opened", "x", new string('z', 64), new string('z', 65), "", "\"\\\u0001", "\u00e9\ud83d\udca5"])
            {
                Assert.Equal(
                    LogEntry.WriteAny(
                        statement.By, signed.Digest, long.MinValue, signed.Proof, signed.Signature.Span, statement.Stream, type, long.MaxValue),
                    LogEntry.Write(
                        statement.By, signed.Digest, long.MinValue, signed.Proof, signed.Signature.Span, statement.Stream, type, long.MaxValue));
            }
        }
    }

    [Fact]
    public void The_entry_that_the_contract_shows_is_read_and_was_signed()
    {
        var contract = File.ReadLines(Path.Combine(Root(), "schemas", "README.md"));
        var line = contract.Single(line => line.StartsWith("{\"by\"", StringComparison.Ordinal)
            && line.Contains("\"position\":2", StringComparison.Ordinal));
        Assert.True(LogEntry.TryRead(Encoding.UTF8.GetBytes(line), out var entry));
        Assert.True(entry!.IsSigned);
    }

    [Fact]
    public void Any_flipped_bit_of_an_entry_is_no_entry_or_another_one()
    {
        var bytes = LogEntry.Write(Events(3)[1]);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(LogEntry.TryRead(changed, out var entry) && !entry!.Bytes.Span.SequenceEqual(changed), $"bit {bit}");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"by\":1}")]
    [InlineData("{\"by\":null,\"digest\":null}")]
    public void What_is_no_entry_is_refused(string text) =>
        Assert.False(LogEntry.TryRead(Encoding.UTF8.GetBytes(text), out _));

    private static string Root()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "MeshLedger.sln")))
        {
            at = Path.GetDirectoryName(at)!;
        }

        return at;
    }

    private static RecordedEvent[] Events(int count)
    {
        var stream = StreamId.OfAccount(Key.Did);
        var statements = Enumerable.Range(0, count).Select(i => EventCodec.State(
            new AccountEvent.Opened(i, 0, 0), Key.Did, null, stream, EventId.New(Time), Time)).ToList();
        return [.. SignedEvent.Sign(Key, statements).Select((signed, i) => new RecordedEvent(signed, i + 11, i + 1, Time))];
    }
}
