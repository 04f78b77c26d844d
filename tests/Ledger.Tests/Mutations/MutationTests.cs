using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>Whatever single thing is done to a ledger behind its back, the audit finds it and names its place. 2,100 random
/// mutations, the same in each run; a failure prints seed and SQL.</summary>
public sealed class MutationTests(MutationBed bed) : IClassFixture<MutationBed>
{
    private const int Seeds = 21;
    private const int EachSeed = 100;

    private static readonly (string Columns, Func<Random, MutationBed, Mutation> Make)[] Families =
        [.. RowMutations.All, .. HistoryMutations.All, .. TableMutations.All];

    /// <summary>Columns in which no fact stands.</summary>
    private static readonly Dictionary<string, string> NoFact = new()
    {
        ["mt_event_progression.last_updated"] = "when a projection moved: nothing follows from it",
        ["ml_presence.key"] = "which nodes are alive: rows come and go",
        ["ml_presence.kind"] = "the same",
        ["ml_presence.node"] = "the same",
        ["ml_presence.seen"] = "the same",
        ["ml_presence.detail"] = "the same",
        ["ml_migrations.*"] = "which scripts ran: the layout itself is compared",
    };

    public static TheoryData<int> AllSeeds => [.. Enumerable.Range(1, Seeds)];

    [Fact]
    public async Task The_ledger_is_clean_before_and_has_every_kind_of_event()
    {
        var report = await bed.AuditAsync();

        Assert.Empty(report.Faults);
        Assert.Equal(
            EventCodec.Kinds.Select(kind => kind.Type).Order(StringComparer.Ordinal),
            bed.Rows.Select(row => row.Type).Distinct().Order(StringComparer.Ordinal));
        Assert.True(bed.Heads.Count > 3, $"{bed.Heads.Count} tree heads");
        Assert.Equal(bed.Head, bed.Heads[^1]);
        Assert.Equal(bed.Heads.Count, report.HeadsCompared);

        // A head that somebody kept, too, is still one.
        var kept = new List<EarlierHead>();
        foreach (var size in bed.Heads)
        {
            kept.Add((await SignedHeads.FindAsync(bed.Database.Source, size, null, CancellationToken.None))!);
        }

        Assert.Equal(bed.Heads.Count, (await bed.AuditAsync([.. kept, .. kept])).HeadsCompared);
    }

    [Theory]
    [MemberData(nameof(AllSeeds))]
    public async Task A_mutation_is_found_and_its_place_named(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < EachSeed; i++)
        {
            var mutation = Families[((seed * EachSeed) + i) % Families.Length].Make(random, bed);
            try
            {
                if (mutation.Sql.Length > 0)
                {
                    await bed.HandAsync(mutation.Sql);
                }

                mutation.Files?.Invoke();
                var report = await bed.AuditAsync();
                Assert.True(
                    report.Faults.Any(mutation.IsNamedBy),
                    $"seed {seed}, mutation {i}: {mutation}\nfaults:\n{string.Join('\n', report.Faults)}");
                Assert.All(report.Faults, fault => Assert.Contains(fault.Kind, AuditKinds.All.Keys));
            }
            finally
            {
                await bed.RestoreAsync();
            }
        }
    }

    [Fact]
    public async Task Every_column_of_every_table_is_mutated_or_holds_no_fact()
    {
        var columns = await bed.Database.RowsAsync(
            """
            SELECT table_name || '.' || column_name FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name ~ '^(mt|ml)_' ORDER BY 1
            """);
        var known = Families.Select(family => family.Columns).Concat(NoFact.Keys).ToHashSet(StringComparer.Ordinal);

        foreach (var column in columns)
        {
            Assert.True(known.Contains(column) || known.Contains(column.Split('.')[0] + ".*"), $"{column} is never mutated");
        }
    }
}
