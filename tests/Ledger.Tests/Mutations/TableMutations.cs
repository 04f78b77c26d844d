using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Audit;
using static MeshLedger.Ledger.Tests.Mutations.Mutation;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>The other tables, the sequence, and the log's files.</summary>
internal static class TableMutations
{
    public static IEnumerable<(string Columns, Func<Random, MutationBed, Mutation> Make)> All =>
    [
        ("mt_streams.id", (random, bed) => Stream(random, bed, "id = id || 'x'")),
        ("mt_streams.type", (random, bed) => Stream(random, bed, random.Next(2) == 0 ? "type = 'other'" : "type = NULL")),
        ("mt_streams.version", (random, bed) => Stream(random, bed, $"version = version + {random.Next(1, 9)}")),
        ("mt_streams.version", (random, bed) => Stream(random, bed, "version = 0")),
        ("mt_streams.timestamp", (random, bed) => Stream(random, bed, $"timestamp = timestamp - interval '{random.Next(1, 99)} ms'")),
        ("mt_streams.created", (random, bed) => Stream(random, bed, $"created = created + interval '{random.Next(1, 99)} ms'")),
        ("mt_streams.tenant_id", (random, bed) => Stream(random, bed, random.Next(2) == 0 ? "tenant_id = 'x'" : "tenant_id = NULL")),
        ("mt_streams.is_archived", (random, bed) => Stream(random, bed, "is_archived = true")),
        ("mt_streams", (random, bed) => Row($"DELETE FROM mt_streams WHERE id = {Quote(bed.Any(random).Stream)}")),
        ("mt_streams", (random, _) => Row($"INSERT INTO mt_streams (id, type, version) VALUES ('job-forged-{random.Next()}', 'job', 1)")),
        ("ml_event_ids.id", (random, bed) => Ids(bed.Any(random), "UPDATE ml_event_ids SET id = gen_random_uuid()")),
        ("ml_event_ids.position", (random, bed) => Ids(bed.Any(random), $"UPDATE ml_event_ids SET position = {bed.Head + random.Next(1, 99)}")),
        ("ml_event_ids", (random, bed) => Ids(bed.Any(random), "DELETE FROM ml_event_ids")),
        ("ml_event_ids", (random, bed) => new Mutation(
            "an id that was never appended", $"INSERT INTO ml_event_ids VALUES (gen_random_uuid(), {bed.Any(random).Position})",
            fault => fault.Kind == "wrong_event_id" && fault.Table == "ml_event_ids")),
        ("mt_events_sequence", (random, bed) => new Mutation(
            "the sequence", $"SELECT setval('mt_events_sequence', {(random.Next(2) == 0 ? random.NextInt64(1, bed.Head) : bed.Head + 1_000_000)})",
            fault => fault.Kind == "wrong_sequence" && fault.Position == bed.Head)),
        ("mt_event_progression.last_seq_id", (random, bed) => new Mutation(
            "a projection that read too much",
            $"UPDATE mt_event_progression SET last_seq_id = {bed.Head + random.Next(1, 99)} WHERE name = 'accounts:All'",
            fault => fault.Kind == "wrong_progression" && fault.Key == "accounts:All")),
        ("mt_event_progression.name", (random, bed) => new Mutation(
            "a projection of nobody that read too much",
            $"INSERT INTO mt_event_progression VALUES ('nobody {random.Next(99)}', {bed.Head + 1})",
            fault => fault.Kind == "wrong_progression" && fault.Key!.StartsWith("nobody", StringComparison.Ordinal))),
        ("ml_log_heads", (random, bed) => Head(random, bed, "DELETE FROM ml_log_heads")),
        ("ml_log_heads.size", (random, bed) => Head(random, bed, $"UPDATE ml_log_heads SET size = size + {1000 + random.Next(99)}")),
        ("ml_log_heads.origin", (random, bed) => Head(random, bed, "UPDATE ml_log_heads SET origin = 'other'")),
        ("ml_log_heads.signed_at", (random, bed) => Head(
            random, bed, $"UPDATE ml_log_heads SET signed_at = signed_at + interval '{random.Next(1, 99)} microseconds'")),
        ("ml_log_heads.note", Note),
        ("ml_log_heads.note", SignedOtherwise),
        ("log/heads", Line), ("log/heads", LineGone), ("log/heads", LinesSwapped), ("log/checkpoint", Published),
        ("log/checkpoint", PublishedUnknown),
    ];

    private static Mutation Stream(Random random, MutationBed bed, string set)
    {
        var stream = bed.Any(random).Stream;
        return Row($"UPDATE mt_streams SET {set} WHERE id = {Quote(stream)}");
    }

    /// <summary>What is done to a row of <c>mt_streams</c>, which is named by its key.</summary>
    private static Mutation Row(string sql) => new(
        "mt_streams", sql, fault => fault is { Kind: "wrong_stream", Table: "mt_streams", Key: not null }
            && (sql.Contains($"${fault.Key}$", StringComparison.Ordinal) || sql.Contains($"'{fault.Key}'", StringComparison.Ordinal)));

    private static Mutation Ids(Place row, string sql) => new(
        "ml_event_ids", $"{sql} WHERE position = {row.Position}",
        fault => fault.Kind == "wrong_event_id" && fault.Position == row.Position);

    private static Mutation Head(Random random, MutationBed bed, string sql)
    {
        var size = bed.Heads.Any(random);
        return new Mutation("ml_log_heads", $"{sql} WHERE size = {size}", fault => IsOfHead(fault, size));
    }

    private static Mutation Note(Random random, MutationBed bed)
    {
        var (at, letter) = (random.Next(1, 150), (char)random.Next('a', 'z'));
        var other = $"CASE substr(note, {at}, 1) WHEN '{letter}' THEN '{(char)(letter + 1)}' ELSE '{letter}' END";
        return Head(random, bed, $"UPDATE ml_log_heads SET note = overlay(note placing {other} from {at} for 1)");
    }

    /// <summary>The log's own key signed another root of the same size.</summary>
    private static Mutation SignedOtherwise(Random random, MutationBed bed)
    {
        var size = bed.Heads.Any(random);
        var other = new TreeHead(bed.NoteKey.Name, size, Digest.OfBytes([(byte)random.Next(256)]));
        var note = SignedNote.Sign(other.Text, bed.NoteKey, bed.LogKey);
        return new Mutation(
            "two heads of one size", $"UPDATE ml_log_heads SET note = {Quote(note.ToString())} WHERE size = {size}",
            fault => fault.Kind == "inconsistent_head" && fault.Position == size && fault.Table == "ml_log_heads");
    }

    private static Mutation Line(Random random, MutationBed bed)
    {
        var line = random.Next(bed.Heads.Count);
        var at = random.Next(200);
        return Lines(bed, $"changed line {line + 1} of heads", fault => IsOfLine(fault, line, bed), lines =>
        {
            // Of a time, another digit; of base64, another letter.
            var text = lines[line];
            var place = at < 20 ? new[] { 0, 1, 2, 3, 20, 21, 22, 23, 24, 25 }[at % 10] : at + 10;
            lines[line] = $"{text[..place]}{(char.IsAsciiDigit(text[place]) ? (char)('0' + ((text[place] - '0' + 1) % 10)) : text[place] == 'A' ? 'B' : 'A')}{text[(place + 1)..]}";
        });
    }

    private static Mutation LineGone(Random random, MutationBed bed)
    {
        var line = random.Next(bed.Heads.Count);
        return Lines(bed, $"removed line {line + 1} of heads", fault => IsOfLine(fault, line, bed), lines => lines.RemoveAt(line));
    }

    private static Mutation LinesSwapped(Random random, MutationBed bed)
    {
        var line = random.Next(bed.Heads.Count - 1);
        return Lines(
            bed, $"swapped lines {line + 1} and {line + 2} of heads",
            fault => IsOfLine(fault, line, bed) || IsOfLine(fault, line + 1, bed),
            lines => (lines[line], lines[line + 1]) = (lines[line + 1], lines[line]));
    }

    private static Mutation Published(Random random, MutationBed bed)
    {
        var at = random.Next(bed.NoteKey.Name.Length, 150);
        return new Mutation("changed the published head", "", IsOfCheckpoint, () =>
        {
            var file = Path.Combine(bed.LogDirectory, "checkpoint");
            var text = File.ReadAllText(file);
            File.WriteAllText(file, $"{text[..at]}{(text[at] == 'A' ? 'B' : 'A')}{text[(at + 1)..]}");
        });
    }

    /// <summary>Signed by the log, published, and kept nowhere.</summary>
    private static Mutation PublishedUnknown(Random random, MutationBed bed)
    {
        var size = random.NextInt64(1, bed.Head + 20);
        var other = new TreeHead(bed.NoteKey.Name, size, Digest.OfBytes([(byte)random.Next(256)]));
        var note = SignedNote.Sign(other.Text, bed.NoteKey, bed.LogKey);
        return new Mutation(
            $"published another head of size {size}", "", IsOfCheckpoint,
            () => File.WriteAllBytes(Path.Combine(bed.LogDirectory, "checkpoint"), note.ToBytes()));
    }

    private static Mutation Lines(MutationBed bed, string what, Func<AuditFault, bool> isNamedBy, Action<List<string>> change) =>
        new(what, "", isNamedBy, () =>
        {
            var file = Path.Combine(bed.LogDirectory, "heads");
            var lines = File.ReadAllText(file).Split('\n')[..^1].ToList();
            change(lines);
            File.WriteAllText(file, string.Concat(lines.Select(line => line + "\n")), new UTF8Encoding(false));
        });

    private static bool IsOfHead(AuditFault fault, long size) =>
        fault.Kind == "wrong_head" && (fault.Position == size || fault.Key?.EndsWith($" {size}", StringComparison.Ordinal) == true);

    private static bool IsOfLine(AuditFault fault, int line, MutationBed bed) => fault.Kind == "wrong_head"
        && (fault.Key == $"line {line + 1}" || fault.Position == bed.Heads[line]);

    private static bool IsOfCheckpoint(AuditFault fault) => fault.Kind is "wrong_head" or "inconsistent_head"
        && fault.Table!.EndsWith("/checkpoint", StringComparison.Ordinal);
}
