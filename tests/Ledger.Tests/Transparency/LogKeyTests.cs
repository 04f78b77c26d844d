using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Tests.Transparency;

/// <summary>A log whose key was handed over, or lost: what was signed before stays good, and nothing is signed twice.</summary>
public sealed class LogKeyTests : IAsyncLifetime
{
    private readonly SigningKey _node = SigningKey.Generate();
    private readonly SigningKey[] _later = [.. Enumerable.Range(0, 2).Select(_ => SigningKey.Generate())];
    private LogFixture _log = null!;

    public async Task InitializeAsync()
    {
        _log = await LogFixture.CreateAsync();
        await SayAsync(_node, new NodeEvent.Founded("home"), null, StreamId.Ledger);
    }

    public async Task DisposeAsync() => await _log.DisposeAsync();

    [Fact]
    public async Task Heads_before_a_hand_over_are_signed_by_the_key_before_and_heads_after_by_the_key_after()
    {
        await _log.AppendAsync(9);
        await using (var running = LogFixture.Run(_log.Publisher(_log.Options with { FindKey = Find })))
        {
            await running.UntilAsync(10);
            await _log.AppendAsync(5);
            var position = await ChangeAsync(_log.Key, _later[0]);
            Assert.Equal(16, position);
            await _log.AppendAsync(300);
            await running.UntilAsync(316);
        }

        Assert.Equal((await KeysAsync()).Latest.ToString() + "\n", await File.ReadAllTextAsync(Path.Combine(_log.Directory, "key")));
        await CheckAsync(first: 15, after: 16);

        // The next start has the new key alone.
        await _log.AppendAsync(4);
        await _log.PublishAsync(_log.Options with { Key = _later[0] });
        await CheckAsync(first: 15, after: 16);
    }

    [Fact]
    public async Task A_log_that_was_handed_over_while_no_node_ran_goes_on_with_the_new_key()
    {
        await _log.AppendAsync(9);
        await _log.PublishAsync();
        await _log.AppendAsync(3);
        await ChangeAsync(_log.Key, _later[0]);
        await ChangeAsync(_later[0], _later[1]);
        await _log.PublishAsync(_log.Options with { Key = _later[1] });
        var keys = await KeysAsync();
        Assert.Equal([0L, 14, 15], keys.Terms.Select(term => term.From));
        await CheckAsync(first: 10, after: 15);
    }

    [Fact]
    public async Task A_log_far_behind_takes_in_hand_overs_on_its_way()
    {
        await _log.AppendAsync(8_999);
        await ChangeAsync(_log.Key, _later[0]);
        await _log.AppendAsync(6_000);
        await _log.PublishAsync(_log.Options with { Key = _later[0] });
        await CheckAsync(first: null, after: 9_001);
    }

    [Fact]
    public async Task A_lost_directory_of_a_log_that_was_handed_over_is_made_again_byte_for_byte()
    {
        await _log.AppendAsync(9);
        await using (var running = LogFixture.Run(_log.Publisher(_log.Options with { FindKey = Find })))
        {
            await running.UntilAsync(10);
            await ChangeAsync(_log.Key, _later[0]);
            await _log.AppendAsync(20);
            await running.UntilAsync(31);
        }

        var before = _log.Files();
        Directory.Delete(_log.Directory, recursive: true);

        // Its name is known by its key alone.
        await _log.PublishAsync(_log.Options with { Key = _later[0] });
        Assert.Equal(before, _log.Files());
    }

    [Fact]
    public async Task Who_has_not_the_key_that_the_log_was_handed_over_to_signs_nothing_more_until_it_is_there()
    {
        await _log.AppendAsync(9);
        var isThere = false;
        await using var running = LogFixture.Run(_log.Publisher(_log.Options with { FindKey = key => isThere ? Find(key) : null }));
        await running.UntilAsync(10);
        await ChangeAsync(_log.Key, _later[0]);
        await _log.AppendAsync(20);
        await _log.Lines.UntilAsync(1020, "was handed over to");
        Assert.InRange((await LogHeads.LatestAsync(_log.Source, await KeysAsync(), CancellationToken.None))!.Head.Size, 10, 10);
        isThere = true;
        await running.UntilAsync(31);
        await CheckAsync(first: 10, after: 11);
    }

    [Fact]
    public async Task A_lost_key_is_followed_by_one_that_only_who_is_told_it_believes()
    {
        await _log.AppendAsync(9);
        var old = await _log.PublishAsync();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => _log.PublishAsync(_log.Options with { Key = _later[0] }));
        Assert.Contains("log rotate --lost", refused.Message, StringComparison.Ordinal);
        await ChangeAsync(null, _later[0]);
        await _log.PublishAsync(_log.Options with { Key = _later[0] });
        var keys = await KeysAsync();
        Assert.NotNull(SignedHead.Read(old.Note.ToBytes(), old.At, keys));

        var believer = keys.BelievedBy(_log.NoteKey)!;
        Assert.Equal([_log.NoteKey], believer.Terms.Select(term => term.Key));
        Assert.Null(believer.For(11));
        Assert.NotNull(SignedHead.Read(old.Note.ToBytes(), old.At, believer));
        await Assert.ThrowsAsync<FormatException>(() => LogHeads.LatestAsync(_log.Source, believer, CancellationToken.None));
        Assert.Equal(keys.Terms, keys.BelievedBy(keys.Latest)!.Terms);
        Assert.Null(keys.BelievedBy(new NoteKey(keys.Origin, NoteKeyType.Signature, _node.Did)));
        await CheckAsync(first: 10, after: 11);
    }

    /// <summary>Whoever can write the database could say it; the log's key alone hands the log over.</summary>
    [Theory]
    [InlineData("log.example/chosen", "another key than the log's", true)]
    [InlineData("log.example/chosen", "another key than the log's", false)]
    [InlineData(null, "another key than the log's", true)]
    [InlineData(null, "lost", false)]
    [InlineData(null, "the log's key, by nobody's signature", false)]
    public async Task A_hand_over_that_somebody_invented_is_not_followed(string? origin, string what, bool isNode)
    {
        var options = _log.Options with { Origin = origin, FindKey = Find };
        await _log.AppendAsync(9);
        var (own, thief) = (options.NoteKey, SigningKey.Generate());
        var invented = new NoteKey(own.Name, NoteKeyType.Signature, thief.Did);
        var change = what switch
        {
            "lost" => LogEvent.Change(own, null, thief),
            "the log's key, by nobody's signature" =>
                LogEvent.Change(own, _log.Key, _later[0]) with { FromSignature = Convert.ToBase64String(new byte[64]) },
            _ => LogEvent.Change(invented, thief, _later[0]),
        };
        await using (var running = LogFixture.Run(_log.Publisher(options)))
        {
            await running.UntilAsync(10);
            await SayAsync(isNode ? _node : thief, change, null, StreamId.OfLog(own.Name));
            await _log.AppendAsync(20);
            var head = await running.UntilAsync(31);
            Assert.True(head.Note.TryVerify([own], out _));
            Assert.Equal($"{own}\n", await File.ReadAllTextAsync(Path.Combine(_log.Directory, "key")));
            Assert.False(File.Exists(Path.Combine(_log.Directory, "keys")));
            await _log.Lines.UntilAsync(1024, own.Name);
        }

        // Nor by the next start, nor where the directory was lost.
        await _log.PublishAsync(options);
        var before = _log.Files();
        Directory.Delete(_log.Directory, recursive: true);
        await _log.PublishAsync(options);
        Assert.Equal(before, _log.Files());
        Assert.Empty((await LogCheck.RunAsync(_log.Source, own, null, CancellationToken.None)).Faults);
    }

    [Fact]
    public async Task A_file_of_keys_that_does_not_say_what_the_entries_say_is_a_fault()
    {
        await _log.AppendAsync(9);
        await ChangeAsync(_log.Key, _later[0]);
        await _log.AppendAsync(10);
        await _log.PublishAsync(_log.Options with { Key = _later[0] });
        var keys = await KeysAsync();
        var moved = new LogKeys([keys.Terms[0], keys.Terms[1] with { From = 12 }]);
        var report = await LogCheck.RunAsync(_log.Source, moved, null, CancellationToken.None);
        Assert.Equal([12L], report.Faults.Where(fault => fault.Kind == "wrong_key").Select(fault => fault.Position!.Value));
        report = await LogCheck.RunAsync(_log.Source, keys.Latest, null, CancellationToken.None);
        Assert.Empty(report.Faults);
    }

    [Fact]
    public void The_file_is_read_as_it_was_written_and_nothing_else_is()
    {
        var first = new NoteKey("log.example/x", NoteKeyType.Signature, _node.Did);
        var change = LogEvent.Change(first, _node, _later[0]);
        var keys = new LogKeys(
            [new LogKeyTerm(first, 0, null, null), new LogKeyTerm(NoteKey.Parse(change.To), 7, change.FromSignature, change.ToSignature)]);
        Assert.True(LogKeys.TryParse(keys.ToBytes(), out var read));
        Assert.Equal(keys.Terms, read!.Terms);
        Assert.Equal((first, first, keys.Latest), (read.For(0), read.For(6), read.For(7)));
        Assert.Equal(2, read.BelievedBy(first)!.Terms.Count);
        var bytes = keys.ToBytes();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));

            // What is still a file of keys is believed less: by who knows the first key, only as far as the hand-over was signed.
            Assert.False(
                LogKeys.TryParse(changed, out var other) && other!.BelievedBy(first) is { Terms.Count: 2 } believed
                    && (believed.Terms[1].Key != keys.Latest || believed.Terms[0].Key != first), $"bit {bit}");
        }

        foreach (var wrong in (string[])["", "\n", "0 x - -\n", $"1 {first} - -\n", $"0 {first} - -", $"0 {first} - - \n", $"0 {first} x -\n"])
        {
            Assert.False(LogKeys.TryParse(Encoding.UTF8.GetBytes(wrong), out _), wrong);
        }
    }

    private SigningKey? Find(Did key) => _later.SingleOrDefault(one => one.Did == key);

    private async Task<LogKeys> KeysAsync() => (await LogHeads.KeysAsync(_log.Source, CancellationToken.None))!;

    /// <returns>The position of the hand-over.</returns>
    private async Task<long> ChangeAsync(SigningKey? from, SigningKey to)
    {
        var ring = await LogKeyring.LoadAsync(_log.Store, _log.Options with { Origin = _log.NoteKey.Name }, CancellationToken.None);
        return await SayAsync(_node, LogEvent.Change(ring.Keys.Latest, from, to), ring.LastHandOver, ring.Stream);
    }

    /// <returns>Its position.</returns>
    private async Task<long> SayAsync(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var author = new EventAuthor(by, TimeProvider.System);
        var outcome = await _log.Store.AppendAsync(
            new AppendRequest(author.Sign([author.State(body, cause, stream)]), new Dictionary<StreamId, long>()),
            CancellationToken.None);
        Assert.IsType<AppendOutcome.Appended>(outcome);
        return await _log.Store.HeadAsync(CancellationToken.None);
    }

    /// <summary>The whole log is clean, each head has the signature of the key of its time, and believing the first key is
    /// enough where it handed over.</summary>
    private async Task CheckAsync(long? first, long after)
    {
        var keys = await KeysAsync();
        var report = await LogCheck.RunAsync(_log.Source, keys, null, CancellationToken.None);
        Assert.Empty(report.Faults);
        var sizes = new List<long>();
        await foreach (var head in LogHeads.ReadAsync(_log.Source, keys, CancellationToken.None))
        {
            sizes.Add(head!.Head.Size);
            var signer = head.Head.Size >= keys.Terms[^1].From ? keys.Latest : keys.For(head.Head.Size)!;
            Assert.True(head.Note.TryVerify([signer], out var verified));
            Assert.Single(verified);
        }

        Assert.Equal(after, keys.Terms[^1].From);
        if (first is { } size)
        {
            Assert.Contains(size, sizes);
        }

        Assert.DoesNotContain(sizes, one => one > (first ?? 0) && one < after);
    }
}
