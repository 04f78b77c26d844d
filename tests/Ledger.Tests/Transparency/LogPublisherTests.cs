using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

public sealed class LogPublisherTests : IAsyncLifetime
{
    private LogFixture _log = null!;

    public async Task InitializeAsync() => _log = await LogFixture.CreateAsync();

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Fact]
    public async Task Every_event_is_in_the_log_at_its_position_and_the_files_check_clean()
    {
        await using var running = LogFixture.Run(_log.Publisher());
        await _log.AppendAsync(700);
        await running.UntilAsync(700);
        await _log.AppendAsync(3, batch: 1);
        var head = await running.UntilAsync(703);

        var leaves = new List<Digest>();
        foreach (var recorded in await _log.Store.ReadAfterAsync(0, 1000, CancellationToken.None))
        {
            leaves.Add(MerkleTree.LeafHash(LogEntry.Write(recorded)));
        }

        Assert.Equal(MerkleTree.Root([.. leaves]), head.Head.Root);
        var report = await _log.CheckAsync();
        Assert.Empty(report.Faults);
        Assert.Equal(703, report.Entries);
        Assert.Equal(head.Head, report.Head!.Head);
        var reader = new LogReader(_log.Source, 703);
        for (var index = 0; index < 703; index += 41)
        {
            var entry = await reader.EntryAsync(index, CancellationToken.None);
            var path = await reader.InclusionAsync(index, 703, CancellationToken.None);
            Assert.Equal(head.Head.Root, MerkleTree.RootFromPath(MerkleTree.LeafHash(entry), index, 703, path));
            Assert.True(LogEntry.TryRead(entry, out var read));
            Assert.Equal(index + 1, read!.Position);
            Assert.True(read.IsSigned);
        }
    }

    [Fact]
    public async Task Every_head_that_was_signed_is_kept_and_each_is_consistent_with_the_next()
    {
        await using var running = LogFixture.Run(_log.Publisher());
        for (var size = 60; size <= 600; size += 60)
        {
            await _log.AppendAsync(60);
            await running.UntilAsync(size);
        }

        var heads = await HeadsAsync();
        Assert.InRange(heads.Count, 10, 20);
        Assert.Equal(heads.Count, await _log.Database.ScalarAsync<long>("SELECT count(*) FROM ml_log_heads"));
        var reader = new LogReader(_log.Source, 600);
        foreach (var (first, second) in heads.Zip(heads.Skip(1)))
        {
            var proof = await reader.ConsistencyAsync(first.Head.Size, second.Head.Size, CancellationToken.None);
            Assert.True(MerkleProof.IsConsistent(
                first.Head.Size, first.Head.Root, second.Head.Size, second.Head.Root, proof));
            Assert.Equal(first.Head.Root, await reader.RootAsync(first.Head.Size, CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_log_whose_directory_is_lost_is_made_again_from_the_database_with_the_same_bytes()
    {
        foreach (var count in (int[])[300, 100, 256, 7])
        {
            await _log.AppendAsync(count);
            await _log.PublishAsync();
        }

        var before = _log.Files();
        Directory.Delete(_log.Directory, recursive: true);
        await _log.PublishAsync();
        AssertSame(before, _log.Files());
        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    [Fact]
    public async Task A_log_that_is_stopped_and_started_goes_on_where_it_stood()
    {
        for (var size = 100; size <= 1000; size += 100)
        {
            await _log.AppendAsync(100);
            Assert.Equal(size, (await _log.PublishAsync()).Head.Size);
        }

        Assert.Empty((await _log.CheckAsync()).Faults);

        // Nothing new: nothing is signed.
        var heads = (await HeadsAsync()).Count;
        await _log.PublishAsync();
        Assert.Equal(heads, (await HeadsAsync()).Count);
    }

    [Fact]
    public async Task Two_publishers_on_one_directory_never_sign_two_heads_of_one_size()
    {
        await using var second = _log.OpenStore();
        await using (var one = LogFixture.Run(_log.Publisher()))
        await using (var other = LogFixture.Run(_log.Publisher(store: second)))
        {
            for (var size = 50; size <= 1500; size += 50)
            {
                await _log.AppendAsync(50, batch: 10);
            }

            await one.UntilAsync(1500);
            await other.UntilAsync(1500);
        }

        Assert.Empty((await _log.CheckAsync()).Faults);
        var heads = await HeadsAsync();
        Assert.Equal(heads.Count, heads.Select(head => head.Head.Size).Distinct().Count());
    }

    [Fact]
    public async Task Two_publishers_of_one_log_in_two_directories_sign_one_head_a_size()
    {
        var options = _log.Options with { Directory = Path.Combine(_log.Home, "other") };
        await using (var one = LogFixture.Run(_log.Publisher()))
        await using (var other = LogFixture.Run(_log.Publisher(options)))
        {
            for (var size = 50; size <= 500; size += 50)
            {
                await _log.AppendAsync(50, batch: 10);
            }

            await one.UntilAsync(500);
            await other.UntilAsync(500);
        }

        // Whoever was not the one to sign takes the head over at his next start.
        await _log.PublishAsync();
        await _log.PublishAsync(options);
        Assert.Equal(File.ReadAllText(Path.Combine(_log.Directory, "heads")), File.ReadAllText(Path.Combine(options.Directory, "heads")));
        Assert.Empty((await _log.CheckAsync()).Faults);
        var report = await LogCheck.RunAsync(new DirectoryLogSource(options.Directory), _log.NoteKey, null, CancellationToken.None);
        Assert.Empty(report.Faults);
    }

    [Fact]
    public async Task A_database_that_ends_before_what_was_signed_stops_the_log()
    {
        await _log.AppendAsync(20);
        await _log.PublishAsync();
        await _log.Database.ExecuteAsync("DELETE FROM mt_events WHERE seq_id > 15");
        await using var store = _log.OpenStore();
        await Assert.ThrowsAsync<InvalidHistoryException>(() => _log.Publisher(store: store).RunAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_history_that_was_rewritten_is_never_signed_over()
    {
        await _log.AppendAsync(20);
        var head = await _log.PublishAsync();
        await _log.Database.ExecuteAsync("UPDATE mt_events SET version = version + 1000 WHERE seq_id = 20");
        await using var store = _log.OpenStore();
        await Assert.ThrowsAsync<InvalidHistoryException>(() => _log.Publisher(store: store).RunAsync(CancellationToken.None));

        // Nor where the log's files and its heads in the database are gone, but for the list of heads.
        await _log.Database.ExecuteAsync("DELETE FROM ml_log_heads");
        Directory.Delete(Path.Combine(_log.Directory, "tile"), recursive: true);
        await Assert.ThrowsAsync<InvalidHistoryException>(() => _log.Publisher(store: store).RunAsync(CancellationToken.None));
        Assert.Equal(head.Note.ToString(), File.ReadAllText(Path.Combine(_log.Directory, "checkpoint")));
    }

    [Fact]
    public async Task A_clock_that_is_set_back_leaves_the_list_of_heads_in_order()
    {
        await _log.AppendAsync(5);
        var first = await _log.PublishAsync();
        await _log.AppendAsync(5);
        var second = await _log.PublishAsync(clock: new EarlierClock());
        Assert.Equal(first.At, second.At);
        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    [Fact]
    public async Task A_directory_of_another_log_is_refused()
    {
        await _log.AppendAsync(5);
        await _log.PublishAsync();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(
            () => _log.Publisher(_log.Options with { Key = SigningKey.Generate() }).RunAsync(CancellationToken.None));
        Assert.Contains(_log.NoteKey.ToString(), refusal.Message, StringComparison.Ordinal);
    }

    private static void AssertSame(SortedDictionary<string, byte[]> expected, SortedDictionary<string, byte[]> found)
    {
        Assert.Equal(expected.Keys, found.Keys);
        Assert.All(expected, file => Assert.True(file.Value.AsSpan().SequenceEqual(found[file.Key]), file.Key));
    }

    private async Task<List<SignedHead>> HeadsAsync()
    {
        var heads = new List<SignedHead>();
        await foreach (var head in LogHeads.ReadAsync(_log.Source, _log.NoteKey, CancellationToken.None))
        {
            heads.Add(head!);
        }

        return heads;
    }

    private sealed class EarlierClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddHours(-1);
    }
}
