using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Logs;

/// <summary>How a log's key is handed over: by whom, in which order, and with which signatures.</summary>
public sealed class LogKeyTests
{
    private const string Origin = "log.example/one";
    private static readonly SigningKey[] Signers = [.. Enumerable.Range(1, 4).Select(i => SigningKey.FromSeed([.. Enumerable.Repeat((byte)(90 + i), 32)]))];
    private static readonly NoteKey[] Keys = [.. Signers.Select(key => new NoteKey(Origin, NoteKeyType.Signature, key.Did))];
    private static readonly StreamId Stream = StreamId.OfLog(Origin);

    private readonly Registry _registry = new();
    private Digest? _last;
    private long _version;
    private long _position;

    public LogKeyTests()
    {
        var founded = State(Actors.Node, new NodeEvent.Founded("home"), null, StreamId.Ledger);
        _registry.Apply(founded, founded.Body, 1, ++_position);
    }

    private static LogEvent.KeyChanged First => LogEvent.Change(Keys[0], Signers[0], Signers[1]);

    [Fact]
    public void A_key_is_handed_over_again_and_again()
    {
        Accepted(First);
        Accepted(LogEvent.Change(Keys[1], Signers[1], Signers[2]));
        Accepted(LogEvent.Change(Keys[2], Signers[2], Signers[3]));
    }

    [Fact]
    public void A_lost_key_is_replaced_without_its_signature()
    {
        var lost = LogEvent.Change(Keys[0], null, Signers[1]);
        Assert.Null(lost.FromSignature);
        Accepted(lost);
        Accepted(LogEvent.Change(Keys[1], Signers[1], Signers[2]));
    }

    [Fact]
    public void Only_a_node_says_so() => Refused("NOT_A_NODE", First, Actors.Stranger);

    [Fact]
    public void That_a_key_is_lost_says_the_founder_or_who_had_the_key_once()
    {
        var other = SigningKey.FromSeed([.. Enumerable.Repeat((byte)77, 32)]);
        var admitted = State(Actors.Node, new NodeEvent.Admitted(other.Did), null, StreamId.OfNode(other.Did));
        _registry.Apply(admitted, admitted.Body, 2, ++_position);
        Refused("NOT_THE_LOGS_NODE", LogEvent.Change(Keys[0], null, Signers[1]), other);
        Accepted(First, other);
        Accepted(LogEvent.Change(Keys[1], null, Signers[2]), other);
        Accepted(LogEvent.Change(Keys[2], null, Signers[3]));
    }

    [Fact]
    public void A_name_that_was_made_from_a_key_is_handed_over_by_that_key_first()
    {
        var name = $"meshledger/{Signers[0].Did.ToString()["did:key:".Length..]}";
        NoteKey Named(int i) => new(name, NoteKeyType.Signature, Signers[i].Did);
        Refused("WRONG_LOG_KEY", LogEvent.Change(Named(1), Signers[1], Signers[2]), stream: StreamId.OfLog(name));
        var first = LogEvent.Change(Named(0), Signers[0], Signers[2]);
        Assert.Null(_registry.Check(State(Actors.Node, first, null, StreamId.OfLog(name)), first, 1));
    }

    [Fact]
    public void It_stands_in_the_stream_of_its_log()
    {
        Refused("WRONG_STREAM", First, stream: StreamId.OfLog("log.example/two"));
        Refused("WRONG_STREAM", First, stream: StreamId.Ledger);
    }

    [Fact]
    public void Both_keys_are_keys_of_one_log_and_differ()
    {
        Refused("WRONG_LOG_KEY", First with { From = "nonsense" });
        Refused("WRONG_LOG_KEY", First with { To = First.From });
        Refused("WRONG_LOG_KEY", First with { To = new NoteKey("log.example/two", NoteKeyType.Signature, Signers[1].Did).ToString() });
        Refused("WRONG_LOG_KEY", First with { To = new NoteKey(Origin, NoteKeyType.Cosignature, Signers[1].Did).ToString() });
    }

    [Fact]
    public void Each_key_signs_these_two_keys()
    {
        var other = LogEvent.Change(Keys[0], Signers[0], Signers[2]);
        foreach (var signature in (string[])[other.FromSignature!, First.ToSignature, "", "nonsense", Convert.ToBase64String(new byte[64])])
        {
            Refused("WRONG_LOG_KEY", First with { FromSignature = signature });
        }

        foreach (var signature in (string[])[other.ToSignature, First.FromSignature!, "", Convert.ToBase64String(new byte[64])])
        {
            Refused("WRONG_LOG_KEY", First with { ToSignature = signature });
        }
    }

    [Fact]
    public void The_key_that_hands_over_is_the_latest_and_none_comes_back()
    {
        Accepted(First);
        Refused("WRONG_LOG_KEY", LogEvent.Change(Keys[0], Signers[0], Signers[2]));
        Refused("WRONG_LOG_KEY", LogEvent.Change(Keys[1], Signers[1], Signers[0]));
        Refused("WRONG_LOG_KEY", LogEvent.Change(Keys[2], Signers[2], Signers[3]));
    }

    [Fact]
    public void The_cause_is_the_hand_over_before()
    {
        Refused("WRONG_CAUSE", First, cause: Digest.OfBytes([1]));
        Accepted(First);
        var next = LogEvent.Change(Keys[1], Signers[1], Signers[2]);
        var last = _last;
        _last = null;
        Refused("WRONG_CAUSE", next);
        _last = last;
        Accepted(next);
    }

    private void Accepted(LogEvent.KeyChanged body, SigningKey? by = null)
    {
        var statement = State(by ?? Actors.Node, body, _last, Stream);
        Assert.Null(_registry.Check(statement, body, _version + 1));
        _registry.Apply(statement, body, ++_version, ++_position);
        _registry.Apply(statement, body, _version, _position);
        _last = statement.Digest;
    }

    private void Refused(
        string code, LogEvent.KeyChanged body, SigningKey? by = null, StreamId? stream = null, Digest? cause = null) => Assert.Equal(
        code, _registry.Check(State(by ?? Actors.Node, body, cause ?? _last, stream ?? Stream), body, _version + 1)?.Code);

    private static Statement State(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream) =>
        EventCodec.State(body, by.Did, cause, stream, EventId.New(Actors.Time), Actors.Time);
}
