using System.Collections.Concurrent;
using System.Collections.Immutable;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Logs;

/// <summary>The keys that each log had, by its hand-overs. Safe for concurrent use.</summary>
public sealed class LogKeyBook
{
    /// <summary>How the name of a log begins that was made from its first key, which follows.</summary>
    public const string MadeFromKey = "meshledger/";

    private readonly ConcurrentDictionary<StreamId, (ImmutableList<NoteKey> Keys, ImmutableList<Did> By, Digest Last)> _logs = new();

    /// <summary>Why an event may not stand where it stands; null if it may.</summary>
    /// <param name="isNode">Whether its author was admitted.</param>
    /// <param name="isFounder">Whether its author founded the ledger.</param>
    public Refusal? Check(Statement statement, LogEvent.KeyChanged body, bool isNode, bool isFounder)
    {
        if (!isNode)
        {
            return new Refusal("NOT_A_NODE", $"only an admitted node may say this, not {statement.By}");
        }

        if (!NoteKey.TryParse(body.From, out var from) || !NoteKey.TryParse(body.To, out var to) || from!.Name != to!.Name
            || from.Type != NoteKeyType.Signature || to.Type != NoteKeyType.Signature || from == to)
        {
            return Wrong("expected two keys of one log, NAME+HEX+BASE64");
        }

        if (statement.Stream != StreamId.OfLog(from.Name))
        {
            return new Refusal("WRONG_STREAM", $"the keys of log {from.Name} change in stream {StreamId.OfLog(from.Name)}");
        }

        var known = _logs.TryGetValue(statement.Stream, out var log);
        if (known ? statement.Cause != log.Last : statement.Cause is not null)
        {
            return new Refusal("WRONG_CAUSE", "the cause must be the hand-over before, if there was one");
        }

        if (known && (log.Keys[^1] != from || log.Keys.Contains(to)))
        {
            return Wrong($"the log's key is {log.Keys[^1]}, and no key comes back");
        }

        // Otherwise every node could take the name of every other's log.
        if (!known && from.Name.StartsWith(MadeFromKey, StringComparison.Ordinal)
            && Did.TryParse($"did:key:{from.Name[MadeFromKey.Length..]}", out var first) && first != from.Key)
        {
            return Wrong($"the name of log {from.Name} says which its first key is, and this is another");
        }

        if (body.FromSignature is null && !isFounder && !(known && log.By.Contains(statement.By)))
        {
            return new Refusal(
                "NOT_THE_LOGS_NODE",
                "that a log's key is lost may be said by who founded the ledger, or by a node that the log's key once had for its "
                + "hand-over");
        }

        var text = LogEvent.ToSign(from, to);
        return (body.FromSignature is null || IsSigned(from, body.FromSignature)) && IsSigned(to, body.ToSignature)
            ? null
            : Wrong("a key did not sign the hand-over");

        bool IsSigned(NoteKey key, string signature) =>
            StrictBase64.TryRead(signature, Ed25519.SignatureSize, out var bytes) && Ed25519.Verify(key.Key, text, bytes);

        static Refusal Wrong(string reason) => new("WRONG_LOG_KEY", reason);
    }

    /// <summary>Takes in a hand-over that was checked, once.</summary>
    public void Apply(Statement statement, LogEvent.KeyChanged body)
    {
        var (from, to) = (NoteKey.Parse(body.From), NoteKey.Parse(body.To));
        _logs.AddOrUpdate(
            statement.Stream,
            _ => ([from, to], [statement.By], statement.Digest),
            (_, log) => (log.Keys.Add(to), log.By.Add(statement.By), statement.Digest));
    }
}
