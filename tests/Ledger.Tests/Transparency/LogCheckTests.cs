using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

public sealed class LogCheckTests : IAsyncLifetime
{
    private LogFixture _log = null!;

    public async Task InitializeAsync() => _log = await LogFixture.CreateAsync();

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Fact]
    public async Task A_flipped_bit_in_any_file_is_found_and_repaired_from_the_database()
    {
        foreach (var count in (int[])[300, 250, 20, 3])
        {
            await _log.AppendAsync(count, batch: 50);
            await _log.PublishAsync();
        }

        var before = _log.Files();
        var random = new Random(5);
        foreach (var (file, bytes) in before.Where(one => one.Key != "key"))
        {
            for (var round = 0; round < 3; round++)
            {
                // The time of a head is the log's word, which nobody signs.
                var first = file == "heads" ? 8 * (Timestamps.TextLength + 1) : 0;
                var bit = random.Next(first, file == "heads" ? first + 1600 : bytes.Length * 8);
                var changed = (byte[])bytes.Clone();
                changed[bit / 8] ^= (byte)(1 << (bit % 8));
                await File.WriteAllBytesAsync(Path.Combine(_log.Directory, file), changed);
                var report = await _log.CheckAsync();
                Assert.True(report.FaultCount > 0, $"{file}, bit {bit}");
                Assert.True(
                    report.Faults.Any(fault => fault.File == file), $"{file}, bit {bit}: {string.Join('\n', report.Faults)}");
            }

            Assert.True(await _log.Publisher().RepairAsync(null, CancellationToken.None) > 0, file);
            AssertSame(before, file);
        }

        Assert.Empty((await _log.CheckAsync()).Faults);
    }

    [Fact]
    public async Task A_file_that_is_missing_cut_or_too_long_is_found_and_repaired()
    {
        await _log.AppendAsync(600);
        await _log.PublishAsync();
        var before = _log.Files();
        foreach (var (file, bytes) in before.Where(one => one.Key != "key"))
        {
            var path = Path.Combine(_log.Directory, file);
            foreach (var damage in (Action[])
                [
                    () => File.Delete(path), () => File.WriteAllBytes(path, bytes[..^1]), () => File.WriteAllBytes(path, []),
                    () => File.WriteAllBytes(path, [.. bytes, .. new byte[20_000_000]]),
                ])
            {
                damage();
                Assert.Contains((await _log.CheckAsync()).Faults, fault => fault.File == file);
                await _log.Publisher().RepairAsync(null, CancellationToken.None);
                AssertSame(before, file);
            }
        }
    }

    [Fact]
    public async Task A_tile_that_is_gone_is_said_to_be_gone_and_one_that_is_cut_to_be_cut()
    {
        await _log.AppendAsync(600);
        await _log.PublishAsync();
        foreach (var file in (string[])["tile/0/000", "tile/entries/000", "tile/1/000.p/2"])
        {
            var path = Path.Combine(_log.Directory, file);
            var bytes = await File.ReadAllBytesAsync(path);
            File.Delete(path);
            var gone = Assert.Single((await _log.CheckAsync()).Faults);
            Assert.Equal(("missing", file, "there is no such file"), (gone.Kind, gone.File, gone.Reason));
            await File.WriteAllBytesAsync(path, bytes[..^1]);
            var cut = Assert.Single((await _log.CheckAsync()).Faults);
            Assert.StartsWith("wrong_", cut.Kind, StringComparison.Ordinal);
            Assert.StartsWith("it is cut", cut.Reason, StringComparison.Ordinal);
            await File.WriteAllBytesAsync(path, bytes);
        }
    }

    [Fact]
    public async Task A_damaged_entry_is_named_by_its_position()
    {
        await _log.AppendAsync(600);
        await _log.PublishAsync();
        var file = Path.Combine(_log.Directory, "tile", "entries", "001");
        var bytes = await File.ReadAllBytesAsync(file);
        var length = (bytes[0] << 8) + bytes[1];
        bytes[length + 10] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);
        var fault = Assert.Single((await _log.CheckAsync()).Faults);
        Assert.Equal(("wrong_entries", "tile/entries/001", 258L), (fault.Kind, fault.File, fault.Position));
    }

    [Fact]
    public async Task A_log_of_one_key_does_not_pass_for_that_of_another()
    {
        await _log.AppendAsync(5);
        await _log.PublishAsync();
        var other = new NoteKey(_log.NoteKey.Name, NoteKeyType.Signature, SigningKey.Generate().Did);
        var report = await LogCheck.RunAsync(_log.Source, other, null, CancellationToken.None);
        Assert.Equal("wrong_head", Assert.Single(report.Faults).Kind);
    }

    [Fact]
    public async Task Nothing_is_repaired_from_a_database_that_was_changed()
    {
        await _log.AppendAsync(300);
        await _log.PublishAsync();
        await _log.Database.ExecuteAsync("UPDATE mt_events SET version = 999999 WHERE seq_id = 7");
        File.Delete(Path.Combine(_log.Directory, "tile", "0", "000"));
        var before = _log.Files();
        await using var store = _log.OpenStore();
        await Assert.ThrowsAsync<InvalidHistoryException>(
            () => _log.Publisher(store: store).RepairAsync(null, CancellationToken.None));
        Assert.Equal(before.Keys, _log.Files().Keys);
    }

    private void AssertSame(SortedDictionary<string, byte[]> before, string file)
    {
        var found = _log.Files();
        Assert.Equal(before.Keys, found.Keys);
        Assert.True(before[file].AsSpan().SequenceEqual(found[file]), file);
    }
}
