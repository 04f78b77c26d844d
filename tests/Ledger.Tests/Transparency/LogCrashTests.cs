namespace MeshLedger.Ledger.Tests.Transparency;

/// <summary>The fault table of publishing: each durable step is made, or half made, and the process ends.</summary>
public sealed class LogCrashTests : IAsyncLifetime
{
    private LogFixture _log = null!;

    public async Task InitializeAsync() => _log = await LogFixture.CreateAsync();

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Theory]
    [InlineData("half a tile", false)]
    [InlineData("tiles", false)]
    [InlineData("head in the database", true)]
    [InlineData("half a line in heads", true)]
    [InlineData("line in heads", true)]
    [InlineData("published head", true)]
    public async Task A_crash_after_a_step_is_completed_by_the_next_start(string step, bool wasSigned)
    {
        await _log.AppendAsync(250);
        await _log.PublishAsync();
        var before = _log.Files();
        var rows = await RowsAsync();
        await _log.AppendAsync(300);
        await _log.PublishAsync();
        var after = _log.Files();

        // What stands there when the process ends right after the step.
        Restore(before);
        var tiles = after.Where(file => file.Key.StartsWith("tile/", StringComparison.Ordinal)).ToList();
        Put("tmp/17", tiles[0].Value[..100]);
        if (step != "half a tile")
        {
            tiles.ForEach(file => Put(file.Key, file.Value));
        }

        if (!wasSigned)
        {
            await _log.Database.ExecuteAsync("DELETE FROM ml_log_heads WHERE size > 250");
        }

        if (step is "half a line in heads")
        {
            Put("heads", after["heads"][..^50]);
        }
        else if (step is "line in heads" or "published head")
        {
            Put("heads", after["heads"]);
        }

        if (step is "published head")
        {
            Put("checkpoint", after["checkpoint"]);
        }

        var head = await _log.PublishAsync();

        Assert.Equal(550, head.Head.Size);
        var found = _log.Files();
        Assert.Equal(after.Keys, found.Keys);
        Assert.All(after, file => Assert.True(
            file.Value.AsSpan().SequenceEqual(found[file.Key]) || (!wasSigned && file.Key == "heads"), file.Key));
        Assert.Empty((await _log.CheckAsync()).Faults);
        Assert.Equal(rows.Count + 1, (await RowsAsync()).Count);
    }

    [Fact]
    public async Task While_the_directory_cannot_be_written_the_log_waits_and_then_goes_on()
    {
        await _log.AppendAsync(10);
        await _log.PublishAsync();

        // A file in the place of a directory: what even root cannot write through.
        Directory.Delete(Path.Combine(_log.Directory, "tile"), recursive: true);
        await File.WriteAllTextAsync(Path.Combine(_log.Directory, "tile"), "in the way");
        await using var running = LogFixture.Run(_log.Publisher());
        await _log.AppendAsync(10);
        await _log.Lines.UntilAsync(1020, times: 2);
        File.Delete(Path.Combine(_log.Directory, "tile"));
        await running.UntilAsync(20);
        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    [Fact]
    public async Task A_database_that_does_not_take_heads_leaves_none_signed_and_the_log_goes_on_later()
    {
        await _log.AppendAsync(10);
        await _log.PublishAsync();
        await _log.Database.ExecuteAsync("ALTER TABLE ml_log_heads RENAME TO away");
        await _log.AppendAsync(10);
        var failing = await Assert.ThrowsAnyAsync<Exception>(() => _log.Publisher().RunAsync(CancellationToken.None));
        Assert.Contains("ml_log_heads", failing.Message, StringComparison.Ordinal);
        await _log.Database.ExecuteAsync("ALTER TABLE away RENAME TO ml_log_heads");
        Assert.Equal(20, (await _log.PublishAsync()).Head.Size);
        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    private Task<IReadOnlyList<string>> RowsAsync() =>
        _log.Database.RowsAsync("SELECT size, note, signed_at FROM ml_log_heads ORDER BY size");

    private void Restore(SortedDictionary<string, byte[]> files)
    {
        Directory.Delete(_log.Directory, recursive: true);
        foreach (var (file, bytes) in files)
        {
            Put(file, bytes);
        }
    }

    private void Put(string file, byte[] bytes)
    {
        var path = Path.Combine(_log.Directory, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }
}
