using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Transparency;

/// <summary>A tree head with who signed it, and when that was by the log's clock, which nobody signs.</summary>
/// <param name="At">Never before that of the head before it.</param>
public sealed record SignedHead(TreeHead Head, SignedNote Note, DateTimeOffset At)
{
    /// <summary>Reads a head, and believes it if the key that the log had then signed it.</summary>
    /// <returns>Null if it is no head, of another log, or not signed.</returns>
    public static SignedHead? Read(ReadOnlySpan<byte> note, DateTimeOffset at, LogKeys keys) =>
        SignedNote.TryParse(note, out var parsed) && TreeHead.TryParse(parsed!.Text, out var head)
            && head.Origin == keys.Origin && keys.For(head.Size) is { } key && parsed.TryVerify([key], out _)
            ? new SignedHead(head, parsed, at)
            : null;

    /// <summary>A line of the file <c>heads</c>.</summary>
    internal string Line => $"{Timestamps.Write(At)} {Convert.ToBase64String(Note.ToBytes())}\n";

    /// <summary>Reads a line without its newline.</summary>
    internal static SignedHead? ReadLine(string line, LogKeys keys) =>
        line.Length > Timestamps.TextLength + 1 && line[Timestamps.TextLength] == ' '
            && Timestamps.TryRead(line.AsSpan(0, Timestamps.TextLength), out var at)
            && StrictBase64.TryRead(line.AsSpan(Timestamps.TextLength + 1), out var note)
            ? Read(note, at, keys)
            : null;

    public override string ToString() => Encoding.UTF8.GetString(Note.ToBytes());
}
