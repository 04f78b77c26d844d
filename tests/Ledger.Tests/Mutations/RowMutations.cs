using MeshLedger.Domain.Events;
using static MeshLedger.Ledger.Tests.Mutations.Mutation;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>One column of one event.</summary>
internal static class RowMutations
{
    public static IEnumerable<(string Columns, Func<Random, MutationBed, Mutation> Make)> All =>
    [
        ("mt_events.data", Data), ("mt_events.data", Data), ("mt_events.data", Data), ("mt_events.data", Data),
        ("mt_events.headers", Headers), ("mt_events.headers", Headers), ("mt_events.headers", Headers),
        ("mt_events.type", Type), ("mt_events.id", Id), ("mt_events.version", Version), ("mt_events.seq_id", Position),
        ("mt_events.stream_id", Stream), ("mt_events.timestamp", Timestamp), ("mt_events.causation_id", Causation),
        ("mt_events.correlation_id", Correlation), ("mt_events.mt_dotnet_type", DotnetType),
        ("mt_events.is_archived", (random, bed) => Set(bed.Any(random), "is_archived", random.Next(2) == 0 ? "true" : "NULL")),
        ("mt_events.tenant_id", (random, bed) => Set(bed.Any(random), "tenant_id", random.Next(2) == 0 ? "'other'" : "NULL")),
        ("mt_events.bdata", (random, bed) => Set(bed.Any(random), "bdata", "'\\x00'")),
    ];

    public static T Any<T>(this IReadOnlyList<T> items, Random random) => items[random.Next(items.Count)];

    public static Place Any(this MutationBed bed, Random random) => bed.Rows.Any(random);

    private static Mutation Data(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var data = row.Data.DeepClone().AsObject();
        var what = JsonMutation.Change(random, data);
        return Set(row, "data", Quote(data), $"data of {row.Type}: {what}");
    }

    private static Mutation Headers(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var headers = row.Headers.DeepClone().AsObject();
        var what = JsonMutation.Change(random, headers);
        var mutation = Set(row, "headers", Quote(headers), $"headers of {row.Type}: {what}");

        // Which of two events of a batch is wrong in what they say of it, nobody can tell.
        var batch = bed.Rows.Where(other => $"{other.Headers["sig"]}" == $"{row.Headers["sig"]}").ToList();
        return mutation with { IsNamedBy = fault => batch.Exists(other => other.IsAt(fault)) };
    }

    private static Mutation Type(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var other = EventCodec.Kinds.Where(kind => kind.Type != row.Type).ToList().Any(random).Type;
        return Set(row, "type", Quote(random.Next(4) == 0 ? row.Type + "_v2" : other));
    }

    private static Mutation Id(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        return Set(row, "id", Quote(random.Next(3) == 0 ? Guid.Empty : Other(random, row.Id)));
    }

    private static Guid Other(Random random, Guid id)
    {
        var bytes = id.ToByteArray();
        bytes[random.Next(10, 16)] ^= (byte)random.Next(1, 256);
        return new Guid(bytes);
    }

    private static Mutation Version(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var mutation = Set(row, "version", Quote(random.Next(4) switch { 0 => 0L, 1 => -row.Version, 2 => long.MaxValue, _ => row.Version + 500 }));
        return mutation with { IsNamedBy = fault => fault.Position == row.Position && fault.Stream == row.Stream };
    }

    private static Mutation Position(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var to = random.Next(3) switch { 0 => bed.Head + random.Next(1, 50), 1 => 0, _ => -random.Next(1, 50) };
        var mutation = Set(row, "seq_id", Quote(to));
        return mutation with { IsNamedBy = fault => fault.Position == row.Position && fault.Kind == "wrong_event_id" };
    }

    private static Mutation Stream(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var other = random.Next(4) switch
        {
            0 => "NULL",
            1 => "'job-of nobody'",
            _ => Quote(bed.Rows.Where(one => one.Stream != row.Stream).ToList().Any(random).Stream) + ", version = version + 1000",
        };
        var mutation = Set(row, "stream_id", other);
        return mutation with { IsNamedBy = fault => fault.Position == row.Position };
    }

    private static Mutation Timestamp(Random random, MutationBed bed)
    {
        if (random.Next(3) == 0)
        {
            return Set(bed.Any(random), "timestamp", new[] { "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'" }.Any(random));
        }

        // When a stream began, and when it was last written, stands twice.
        var ends = bed.Rows.GroupBy(row => row.Stream).SelectMany(stream => new[] { stream.First(), stream.Last() }).ToList();
        var row = ends.Any(random);
        var mutation = Set(row, "timestamp", $"timestamp + interval '{random.Next(1, 100_000)} microseconds'");
        return mutation with { IsNamedBy = fault => fault.Kind == "wrong_stream" && fault.Key == row.Stream };
    }

    private static Mutation Causation(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var cause = (string?)row.Headers["cause"];
        var others = bed.Rows.Select(other => (string?)other.Headers["cause"]).Append("x").Where(other => other != cause).ToList();
        return Set(row, "causation_id", Quote(others.Any(random)));
    }

    private static Mutation Correlation(Random random, MutationBed bed)
    {
        var correlated = bed.Rows.Where(row => row.Stream == "job-job-again").ToList();
        return random.Next(2) == 0
            ? Set(correlated.Any(random), "correlation_id", random.Next(2) == 0 ? "NULL" : "'other'")
            : Set(bed.Any(random), "correlation_id", "'other'");
    }

    private static Mutation DotnetType(Random random, MutationBed bed)
    {
        var row = bed.Any(random);
        var other = EventCodec.Kinds.Where(kind => kind.Type != row.Type).ToList().Any(random).Type;
        return Set(row, "mt_dotnet_type", Quote(random.Next(3) switch { 0 => null, 1 => "x", _ => EventCodec.DotnetTypeOf(other) }));
    }

    private static Mutation Set(Place row, string column, string value, string? what = null) => new(
        what ?? $"{column} of {row.Type}",
        $"UPDATE mt_events SET {column} = {value} WHERE seq_id = {row.Position}", row.IsAt);
}
