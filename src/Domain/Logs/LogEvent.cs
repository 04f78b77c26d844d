using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Logs;

/// <summary>What happens to a transparency log of the ledger. Stream: <c>log-SHA256</c>, over the log's origin.</summary>
public abstract record LogEvent : LedgerEvent
{
    private LogEvent()
    {
    }

    /// <summary>By a node: heads of the log from this event's position on are signed by another key. Cause: the hand-over
    /// before, if there was one. Both keys have the log's origin for their name.</summary>
    /// <param name="From">The key until now, <c>NAME+HEX+BASE64</c>.</param>
    /// <param name="To">The key from now on.</param>
    /// <param name="FromSignature">By the key until now, in base64, over <see cref="ToSign"/>; null where it is lost: then
    /// nobody needs to believe the hand-over.</param>
    /// <param name="ToSignature">By the key from now on, over the same.</param>
    public sealed record KeyChanged(string From, string To, string? FromSignature, string ToSignature) : LogEvent;

    /// <summary>Says that a log's key is another from now on.</summary>
    /// <param name="fromKey">Null where it is lost.</param>
    public static KeyChanged Change(NoteKey from, SigningKey? fromKey, SigningKey toKey)
    {
        var to = new NoteKey(from.Name, NoteKeyType.Signature, toKey.Did);
        var text = ToSign(from, to);
        return new KeyChanged(
            from.ToString(), to.ToString(), fromKey is null ? null : Convert.ToBase64String(fromKey.Sign(text)),
            Convert.ToBase64String(toKey.Sign(text)));
    }

    /// <summary>What both keys sign: <c>meshledger/log-key/v1</c> and the two keys, a line each.</summary>
    public static byte[] ToSign(NoteKey from, NoteKey to) => Encoding.UTF8.GetBytes($"meshledger/log-key/v1\n{from}\n{to}\n");
}
