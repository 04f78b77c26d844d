using System.Globalization;
using System.Text;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>What a witness answers, in terms of HTTP.</summary>
public sealed record WitnessAnswer(int Status, string Body, string ContentType = "text/plain; charset=utf-8");

/// <summary>
/// A witness of logs (C2SP tlog-witness): it signs a log's tree head only after it was shown that the log of that head
/// begins with the log of the last one that it signed, and remembers that one durably before it answers. Its directory has a
/// file for each log, named by the SHA-256 of the log's origin, with that head as it was signed.
/// </summary>
public sealed class LogWitness
{
    /// <summary>The longest request.</summary>
    public const int MaxBytes = 128 * 1024;

    private const int MaxProof = 63;

    private readonly NoteKey _name;
    private readonly SigningKey _key;
    private readonly IReadOnlyCollection<NoteKey> _logs;
    private readonly LogFiles _files;
    private readonly TimeProvider _clock;

    /// <param name="logs">The keys of the logs that are witnessed.</param>
    public LogWitness(
        NoteKey name, SigningKey key, string directory, IReadOnlyCollection<NoteKey> logs, TimeProvider clock)
    {
        _name = name;
        _key = key;
        _logs = logs;
        _clock = clock;
        _files = new LogFiles(directory);
    }

    /// <summary>Answers <c>POST add-checkpoint</c>: 200 with the cosignature; 400 for what is no request; 403 for a head that
    /// the log did not sign; 404 for a log that is not witnessed; 409 with the size that the witness has, where the request
    /// assumes another; 422 for a proof that does not hold.</summary>
    public async Task<WitnessAnswer> AddAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        if (!TryRead(request.Span, out var old, out var proof, out var note) || !TreeHead.TryParse(note!.Text, out var head)
            || old > head.Size)
        {
            return new WitnessAnswer(400, "expected old SIZE, a proof in base64, an empty line and a tree head\n");
        }

        var keys = _logs.Where(log => log.Name == head.Origin).ToList();
        if (keys.Count == 0)
        {
            return new WitnessAnswer(404, "this log is not witnessed here\n");
        }

        if (!note.TryVerify(keys, out _))
        {
            return new WitnessAnswer(403, Unsigned(note, head.Origin, keys));
        }

        using var held = await _files.LockAsync(cancellationToken);
        var file = Digest.OfBytes(Encoding.UTF8.GetBytes(head.Origin)).ToString();
        var known = await KnownAsync(file, cancellationToken);
        if (old != known.Size || (head.Size == known.Size && head.Root != known.Root))
        {
            return new WitnessAnswer(
                409, known.Size.ToString(CultureInfo.InvariantCulture) + "\n", "text/x.tlog.size");
        }

        if (!MerkleProof.IsConsistent(known.Size, known.Root, head.Size, head.Root, proof))
        {
            return new WitnessAnswer(422, "the proof does not hold\n");
        }

        if (head.Size > known.Size)
        {
            _files.Clean();
            _files.Write(file, note.ToBytes());
            _files.Sync();
        }

        var signed = SignedNote.Sign(note.Text, _name, _key, _clock.GetUtcNow().ToUnixTimeSeconds());
        return new WitnessAnswer(200, SignedNote.LinesOf(signed.Signatures));
    }

    /// <summary>Why a note is not the log's. A key that the witness does not know may be the one that the log was handed over
    /// to, which its operator has to be told.</summary>
    private static string Unsigned(SignedNote note, string origin, IReadOnlyList<NoteKey> keys)
    {
        var unknown = note.Signatures.Where(line => line.Name == origin && keys.All(key => key.Id != line.KeyId)).ToList();
        return unknown.Count == 0 || note.Signatures.Any(line => line.Name == origin && keys.Any(key => key.Id == line.KeyId))
            ? "the log did not sign this\n"
            : $"signed by a key of this log that this witness was not told ({unknown[0].KeyId:x8}); it knows "
                + $"{string.Join(", ", keys.Select(key => $"{key.Id:x8}"))}. If the log was handed over, start the witness with the new key "
                + "as --log, too\n";
    }

    /// <summary>What was signed last of a log.</summary>
    private async Task<TreeHead> KnownAsync(string file, CancellationToken cancellationToken)
    {
        if (await _files.Source.ReadAsync(file, SignedNote.MaxBytes, cancellationToken) is not { } bytes)
        {
            return new TreeHead("", 0, MerkleTree.Root([]));
        }

        // Without what it had signed, it must not sign on.
        return SignedNote.TryParse(bytes, out var note) && TreeHead.TryParse(note!.Text, out var head)
            ? head
            : throw new IOException($"{file} of {_files.Source.Name} is no tree head: put it back from a copy.");
    }

    private static bool TryRead(ReadOnlySpan<byte> request, out long old, out Digest[] proof, out SignedNote? note)
    {
        (old, proof, note) = (0, [], null);
        var end = request.IndexOf("\n\n"u8);
        if (request.Length > MaxBytes || end < 0 || !SignedNote.TryParse(request[(end + 2)..], out note))
        {
            return false;
        }

        var lines = Encoding.UTF8.GetString(request[..end]).Split('\n');
        var hashes = new List<Digest>();
        foreach (var line in lines.Skip(1))
        {
            if (hashes.Count == MaxProof || !StrictBase64.TryRead(line, Digest.Size, out var hash))
            {
                return false;
            }

            hashes.Add(new Digest(hash));
        }

        proof = [.. hashes];
        return lines[0].StartsWith("old ", StringComparison.Ordinal)
            && long.TryParse(lines[0].AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out old)
            && lines[0] == $"old {old.ToString(CultureInfo.InvariantCulture)}";
    }
}
