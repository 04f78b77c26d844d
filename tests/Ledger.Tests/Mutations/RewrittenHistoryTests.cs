using MeshLedger.Crypto;
using MeshLedger.Domain.Federations;
using MeshLedger.Ledger.Audit;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Testing;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>Histories that are right in themselves, and are not the one that was: somebody has every key of the node, and
/// makes every table and file agree. Only a head that was kept elsewhere tells.</summary>
public sealed class RewrittenHistoryTests : IAsyncLifetime
{
    private readonly MutationBed _bed = new();

    public Task InitializeAsync() => _bed.InitializeAsync();

    public Task DisposeAsync() => _bed.DisposeAsync();

    [Fact]
    public async Task A_history_that_was_signed_anew_is_found_by_any_earlier_head_and_by_nothing_else()
    {
        var kept = await HeadsAsync();
        using var witness = new Witness(_bed.NoteKey);
        await witness.TakeAsync(_bed);
        Assert.Empty((await _bed.AuditAsync([.. kept])).Faults);

        await RewriteAsync();

        // Row by row, and the whole log, it is a ledger like any other.
        var alone = await _bed.AuditAsync();
        Assert.Empty(alone.Faults);
        Assert.True(alone.HeadsCompared >= 6);
        foreach (var head in kept.Append(witness.Head))
        {
            var fault = Assert.Single((await _bed.AuditAsync(head)).Faults);
            Assert.Equal(("inconsistent_head", head.Size, head.From), (fault.Kind, fault.Position, fault.Table));
            Assert.Contains(head.Root.ToString(), fault.Expected, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_tail_that_was_cut_everywhere_is_found_by_a_later_head_and_by_nothing_else()
    {
        var kept = await HeadsAsync();
        var end = kept[2].Size;
        await _bed.HandAsync(HistoryMutations.CutSql(end));
        var file = Path.Combine(_bed.LogDirectory, "heads");
        var lines = File.ReadAllText(file).Split('\n');
        File.WriteAllText(file, string.Concat(lines.Take(3).Select(line => line + "\n")));
        File.WriteAllBytes(
            Path.Combine(_bed.LogDirectory, "checkpoint"), Convert.FromBase64String(lines[2].Split(' ')[1]));

        // What was left open by the cut is all that the rows can tell; an end between two jobs would tell nothing.
        var alone = await _bed.AuditAsync();
        Assert.All(alone.Faults, fault => Assert.Equal("unsettled", fault.Kind));
        Assert.Equal(alone.FaultCount, (await _bed.AuditAsync([.. kept.Take(3)])).FaultCount);
        foreach (var head in kept.Skip(3))
        {
            var fault = Assert.Single((await _bed.AuditAsync(head)).Faults, fault => fault.Kind == "inconsistent_head");
            Assert.Equal((end, head.From), (fault.Position, fault.Table));
            Assert.Contains($"{head.Size} entries", fault.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Before_a_head_that_was_kept_signatures_are_not_verified_again_and_all_else_is_checked()
    {
        var head = (await HeadsAsync())[3];
        var options = new AuditOptions { LogDirectory = _bed.LogDirectory, LogKeys = _bed.NoteKey, Earlier = [head], VerifiedUpTo = head.Size };
        var all = await _bed.AuditAsync(head);
        var since = await LedgerAudit.RunAsync(_bed.Database.Source, options, null, CancellationToken.None);
        Assert.Empty(since.Faults);
        Assert.InRange(since.Signatures, 1, all.Signatures - 1);
        Assert.Equal(all.Tree, since.Tree);

        // A body before it, and a signature after it.
        var (before, after) = (_bed.Rows[9], _bed.Rows[^5]);
        await _bed.HandAsync($$"""
            UPDATE mt_events SET data = data || '{"more":1}' WHERE seq_id = {{before.Position}};
            UPDATE mt_events SET headers = jsonb_set(headers, '{sig}', (SELECT headers -> 'sig' FROM mt_events WHERE seq_id = 1))
                WHERE seq_id = {{after.Position}}
            """);
        var faults = (await LedgerAudit.RunAsync(_bed.Database.Source, options, null, CancellationToken.None)).Faults;
        Assert.Contains(faults, fault => fault.Kind == "wrong_digest" && before.IsAt(fault));
        Assert.Contains(faults, fault => fault.Kind == "bad_signature" && after.IsAt(fault));

        // A signature before it is part of what the head was signed over.
        await _bed.RestoreAsync();
        await _bed.HandAsync(
            $"UPDATE mt_events SET headers = jsonb_set(headers, '{{sig}}', (SELECT headers -> 'sig' FROM mt_events WHERE seq_id = {after.Position})) "
            + $"WHERE seq_id = {before.Position}");
        Assert.Contains(
            (await LedgerAudit.RunAsync(_bed.Database.Source, options, null, CancellationToken.None)).Faults,
            fault => fault.Kind == "inconsistent_head" && fault.Table == head.From);
    }

    [Fact]
    public async Task Without_its_directory_the_log_is_compared_by_the_database_alone_and_the_audit_says_so()
    {
        Directory.Delete(_bed.LogDirectory, recursive: true);

        var report = await LedgerAudit.RunAsync(
            _bed.Database.Source, new AuditOptions { LogDirectory = _bed.LogDirectory }, null, CancellationToken.None);

        Assert.Empty(report.Faults);
        Assert.Equal(_bed.Heads.Count, report.HeadsCompared);
        Assert.Contains(report.Remarks, remark => remark.StartsWith("There is no log in", StringComparison.Ordinal));
        await _bed.HandAsync("UPDATE ml_log_heads SET note = replace(note, '\u2014 ', '\u2014  ')");
        Assert.Equal(
            _bed.Heads.Count,
            (await LedgerAudit.RunAsync(_bed.Database.Source, null, CancellationToken.None)).Faults.Count(fault => fault.Kind == "wrong_head"));
    }

    /// <summary>Every head that the log signed so far, as somebody would keep it.</summary>
    private async Task<List<EarlierHead>> HeadsAsync()
    {
        var heads = new List<EarlierHead>();
        await foreach (var head in LogHeads.ReadAsync(new DirectoryLogSource(_bed.LogDirectory), _bed.NoteKey, CancellationToken.None))
        {
            heads.Add(new EarlierHead($"kept-{head!.Head.Size}", head.Head.Size, head.Head.Root));
        }

        return heads;
    }

    /// <summary>Tells the story again with the same keys, all but one word of it as it was, and publishes it.</summary>
    private async Task RewriteAsync()
    {
        var was = _bed.Story;
        var story = MutationBed.Tell(
            new LedgerStory
            {
                Node = was.Node,
                Submitter = was.Submitter,
                Owner = was.Owner,
                Stranger = was.Stranger,
                Workers = was.Workers,
                Twist = body => [body is FederationEvent.MembershipRevoked revoked ? revoked with { Reason = "never trusted" } : body],
            },
            _bed.SecondNode);
        await _bed.HandAsync(
            "TRUNCATE mt_events, mt_streams, ml_event_ids, ml_log_heads; SELECT setval('mt_events_sequence', 1, false)");
        Directory.Delete(_bed.LogDirectory, recursive: true);
        await _bed.ForgetAsync();
        await _bed.WriteAsync(story);
    }

    /// <summary>A witness that is asked once.</summary>
    private sealed class Witness(NoteKey log) : IDisposable
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("ml-witness-").FullName;

        public EarlierHead Head { get; private set; } = null!;

        /// <summary>Cosigns the published head, and keeps it.</summary>
        public async Task TakeAsync(MutationBed bed)
        {
            var key = SigningKey.Generate();
            var witness = new LogWitness(
                new NoteKey("witness.example", NoteKeyType.Cosignature, key.Did), key, _directory, [log], TimeProvider.System);
            var note = await File.ReadAllTextAsync(Path.Combine(bed.LogDirectory, "checkpoint"));
            var answer = await witness.AddAsync(System.Text.Encoding.UTF8.GetBytes($"old 0\n\n{note}"), CancellationToken.None);
            Assert.Equal(200, answer.Status);
            var file = Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories)
                .First(file => File.ReadAllText(file).StartsWith(log.Name, StringComparison.Ordinal));
            Assert.True(SignedNote.TryParse(await File.ReadAllBytesAsync(file), out var kept));
            Assert.True(TreeHead.TryParse(kept!.Text, out var head));
            Head = new EarlierHead("the witness", head.Size, head.Root);
        }

        public void Dispose() => Directory.Delete(_directory, recursive: true);
    }
}
