using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using static MeshLedger.Ledger.Tests.Mutations.Mutation;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>Events that are gone, stand elsewhere, stand twice, or were never said by who may say them. Most of it done with
/// every table made to agree.</summary>
internal static class HistoryMutations
{
    public static IEnumerable<(string Columns, Func<Random, MutationBed, Mutation> Make)> All =>
    [
        ("deleted rows", Delete), ("deleted rows", DeleteWithId), ("deleted rows", DeleteAndClose), ("swapped rows", Swap),
        ("swapped rows", SwapWithIds), ("swapped rows", SwapVersions), ("swapped rows", SwapBodies), ("duplicated rows", Duplicate),
        ("forged rows", ForgeByStranger), ("forged rows", ForgeByOther), ("forged rows", ForgeUnsigned), ("cut tails", Cut), ("cut tails", Cut),
    ];

    /// <summary>Everything after a position is gone from the database, and nothing in it tells.</summary>
    public static string CutSql(long end) =>
        $"""
        DELETE FROM mt_events WHERE seq_id > {end}; DELETE FROM ml_event_ids WHERE position > {end};
        DELETE FROM ml_log_heads WHERE size > {end}; {StreamsSql};
        UPDATE mt_event_progression SET last_seq_id = least(last_seq_id, {end}); SELECT setval('mt_events_sequence', {end})
        """;

    /// <summary>Makes <c>mt_streams</c> say what the events do.</summary>
    private const string StreamsSql =
        """
        DELETE FROM mt_streams s WHERE NOT EXISTS (SELECT FROM mt_events e WHERE e.stream_id = s.id);
        UPDATE mt_streams s SET version = e.version, timestamp = e.timestamp
            FROM (SELECT DISTINCT ON (stream_id) * FROM mt_events ORDER BY stream_id, version DESC) e WHERE e.stream_id = s.id
        """;

    private static Mutation Delete(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var last = Math.Min(bed.Head, row.Position + random.Next(3));
        return new Mutation(
            "deleted rows", $"DELETE FROM mt_events WHERE seq_id BETWEEN {row.Position} AND {last}",
            fault => fault.Kind == "wrong_event_id" && fault.Position == row.Position);
    }

    private static Mutation DeleteWithId(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        return new Mutation(
            "deleted a row with its id",
            $"DELETE FROM mt_events WHERE seq_id = {row.Position}; DELETE FROM ml_event_ids WHERE position = {row.Position}",
            row.Position == bed.Head
                ? fault => fault.Kind == "wrong_stream" && fault.Key == row.Stream
                : fault => fault.Kind == "wrong_position" && fault.Position == row.Position + 1);
    }

    /// <summary>The events after it move up, in the log and in its stream: each is signed, and many are legal there.</summary>
    private static Mutation DeleteAndClose(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var head = bed.Heads.First(size => size >= row.Position);
        return new Mutation(
            "deleted a row and closed the gap",
            $"""
            DELETE FROM mt_events WHERE seq_id = {row.Position}; DELETE FROM ml_event_ids WHERE position = {row.Position};
            UPDATE mt_events SET seq_id = -seq_id WHERE seq_id > {row.Position};
            UPDATE mt_events SET seq_id = -seq_id - 1 WHERE seq_id < 0;
            UPDATE mt_events SET version = -version WHERE stream_id = {Quote(row.Stream)} AND version > {row.Version};
            UPDATE mt_events SET version = -version - 1 WHERE version < 0;
            UPDATE ml_event_ids SET position = position - 1 WHERE position > {row.Position};
            {StreamsSql}; SELECT setval('mt_events_sequence', {bed.Head - 1})
            """,
            fault => fault.Kind == "inconsistent_head" && fault.Position == Math.Min(head, bed.Head - 1));
    }

    private static Mutation Swap(Random random, MutationBed bed)
    {
        var (one, other) = Two(random, bed);
        return new Mutation(
            "swapped rows", SwapSql("mt_events", "seq_id", one.Position, other.Position),
            fault => fault.Kind == "wrong_event_id" && fault.Position == one.Position);
    }

    private static Mutation SwapWithIds(Random random, MutationBed bed)
    {
        var (one, other) = Two(random, bed);
        var head = bed.Heads.First(size => size >= Math.Min(one.Position, other.Position));
        return new Mutation(
            "swapped rows with their ids",
            $"{SwapSql("mt_events", "seq_id", one.Position, other.Position)}; "
            + SwapSql("ml_event_ids", "position", one.Position, other.Position),
            fault => fault.Kind == "inconsistent_head" && fault.Position == head);
    }

    private static Mutation SwapVersions(Random random, MutationBed bed)
    {
        var stream = bed.Rows.GroupBy(row => row.Stream).Where(rows => rows.Count() > 1).ToList().Any(random).ToList();
        var one = random.Next(stream.Count - 1);
        var (first, second) = (stream[one], stream[random.Next(one + 1, stream.Count)]);
        return new Mutation(
            "swapped versions",
            $"""
            UPDATE mt_events SET version = -1 WHERE seq_id = {first.Position};
            UPDATE mt_events SET version = {first.Version} WHERE seq_id = {second.Position};
            UPDATE mt_events SET version = {second.Version} WHERE seq_id = {first.Position}
            """,
            fault => fault.Kind == "wrong_version" && fault.Position == first.Position && fault.Stream == first.Stream);
    }

    private static Mutation SwapBodies(Random random, MutationBed bed)
    {
        var type = bed.Rows.GroupBy(row => row.Type).Where(rows => rows.Count() > 1).ToList().Any(random).ToList();
        var one = random.Next(type.Count - 1);
        var (first, second) = (type[one], type[random.Next(one + 1, type.Count)]);
        return new Mutation(
            "swapped data and headers",
            $"""
            UPDATE mt_events e SET data = o.data, headers = o.headers FROM mt_events o
            WHERE (e.seq_id, o.seq_id) IN (({first.Position}, {second.Position}), ({second.Position}, {first.Position}))
            """,
            first.IsAt);
    }

    private static Mutation Duplicate(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        return new Mutation(
            "duplicated a row",
            $"""
            INSERT INTO mt_events SELECT (jsonb_populate_record(e, jsonb_build_object('seq_id', {bed.Head + 1}, 'version',
                (SELECT max(version) + 1 FROM mt_events WHERE stream_id = e.stream_id)))).* FROM mt_events e WHERE seq_id = {row.Position};
            {StreamsSql}; SELECT setval('mt_events_sequence', {bed.Head + 1})
            """,
            fault => fault.Position == bed.Head + 1 && fault.Stream == row.Stream);
    }

    private static Mutation ForgeByStranger(Random random, MutationBed bed) =>
        Forge("a stranger says it", SigningKey.Generate(), bed.Any(random), bed, "illegal_event");

    private static Mutation ForgeByOther(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        SigningKey[] others = [bed.Story.Submitter, bed.Story.Stranger, .. bed.Story.Workers];
        return Forge(
            "somebody else of the ledger says it",
            others.Where(key => key.Did.ToString() != $"{row.Headers["by"]}" && $"worker-{key.Did}" != row.Stream).ToArray().Any(random),
            row, bed, "illegal_event");
    }

    private static Mutation ForgeUnsigned(Random random, MutationBed bed) =>
        Forge("nobody signed it", bed.Story.Node, bed.Any(random), bed, "bad_signature");

    /// <summary>What was said once is said again, by somebody else, and is the log's last event in every table.</summary>
    private static Mutation Forge(string what, SigningKey by, Place like, MutationBed bed, string kind)
    {
        var time = bed.Story.Now.AddMinutes(1);
        var cause = (string?)like.Headers["cause"] is { } text ? Digest.Parse(text) : (Digest?)null;
        var statement = Statement.Create(
            by.Did, cause, System.Text.Encoding.UTF8.GetBytes(like.Data.ToJsonString()), EventId.New(time),
            StreamId.Parse(like.Stream), time, like.Type);
        var signed = SignedEvent.Sign(by, [statement])[0];
        if (kind == "bad_signature")
        {
            var bytes = signed.Signature.ToArray();
            bytes[5] ^= 1;
            signed = new SignedEvent(statement, bytes, null);
        }

        return new Mutation(
            $"forged {like.Type}: {what}",
            $"""
            INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, correlation_id, causation_id, headers)
                SELECT {bed.Head + 1}, '{statement.Id}', stream_id, (SELECT version + 1 FROM mt_streams s WHERE s.id = stream_id), data, type,
                    clock_timestamp(), mt_dotnet_type, correlation_id, causation_id, {Quote(EventHeaders.Write(signed))}
                FROM mt_events WHERE seq_id = {like.Position};
            INSERT INTO ml_event_ids VALUES ('{statement.Id}', {bed.Head + 1}); {StreamsSql}; SELECT setval('mt_events_sequence', {bed.Head + 1})
            """,
            fault => fault.Kind == kind && fault.Position == bed.Head + 1 && fault.Stream == like.Stream);
    }

    private static Mutation Cut(Random random, MutationBed bed)
    {
        var end = random.NextInt64(1, bed.Head);
        return new Mutation(
            "cut the tail off", CutSql(end), fault => fault.Kind == "inconsistent_head" && fault.Position == end);
    }

    private static (Place One, Place Other) Two(Random random, MutationBed bed)
    {
        var one = bed.Any(random);
        return (one, bed.Rows.Where(row => row.Stream != one.Stream).ToList().Any(random));
    }

    private static string SwapSql(string table, string column, long one, long other) =>
        $"""
        UPDATE {table} SET {column} = -1 WHERE {column} = {one}; UPDATE {table} SET {column} = {one} WHERE {column} = {other};
        UPDATE {table} SET {column} = {other} WHERE {column} = -1
        """;
}
