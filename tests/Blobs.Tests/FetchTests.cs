using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

public sealed class FetchTests : IDisposable
{
    private readonly StoreDirectory _directory = new(inMemory: true);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));

    public void Dispose()
    {
        _directory.Dispose();
        _limit.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(5_000_000)]
    public async Task What_one_peer_has_comes_whole(int length)
    {
        await using var peer = await Served.StartAsync();
        var content = StoreDirectory.Content(length);
        var hash = await peer.AddAsync(content);
        var store = _directory.Open();

        var fetched = await Served.Fetcher(store, peer.Url).FetchAsync(hash, length, null, _limit.Token);

        Assert.Equal((length, BlobState.Complete), (fetched.Blob.Size, fetched.Blob.State));
        Assert.Equal([peer.Url], fetched.Sources);
        Assert.Empty(fetched.Faults);
        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
        Assert.Equal(peer.Directory.Files(), _directory.Files());
        Assert.Empty((await Served.Fetcher(store, peer.Url).FetchAsync(hash, null, null, _limit.Token)).Sources);
        await Assert.ThrowsAsync<BlobMismatchException>(
            () => Served.Fetcher(store, peer.Url).FetchAsync(hash, length + 1, null, _limit.Token));
    }

    [Fact]
    public async Task Several_peers_give_parts_of_one_blob_and_progress_is_told()
    {
        await using var one = await Served.StartAsync(options => options.SendBytesPerSecond = 20_000_000);
        await using var two = await Served.StartAsync(options => options.SendBytesPerSecond = 20_000_000);
        await using var empty = await Served.StartAsync();
        var content = StoreDirectory.Content(20_000_000);
        var hash = await one.AddAsync(content);
        await two.AddAsync(content);
        var store = _directory.Open();
        var seen = new List<FetchProgress>();

        var fetched = await Served.Fetcher(store, one.Url, two.Url, empty.Url)
            .FetchAsync(hash, null, new Told(seen), _limit.Token);

        Assert.Equal(new[] { one.Url, two.Url }.Order(StringComparer.Ordinal), fetched.Sources);
        Assert.Equal("it does not hold it", Assert.Single(fetched.Faults).Reason);
        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
        Assert.Equal((20_000_000, 20_000_000), (seen[^1].Bytes, seen[^1].Total));
        Assert.Contains(seen, progress => progress.Peers.Count == 2 && progress.BytesPerSecond > 0);
        Assert.Equal(seen.Select(progress => progress.Bytes).Order(), seen.Select(progress => progress.Bytes));
    }

    [Theory]
    [InlineData(Lie.WrongBytes, true)]
    [InlineData(Lie.WrongBytesLate, true)]
    [InlineData(Lie.WrongOutboard, null)]
    [InlineData(Lie.WrongSize, true)]
    [InlineData(Lie.WrongSizeInLastGroup, true)]
    [InlineData(Lie.WrongRange, true)]
    [InlineData(Lie.NoEnd, true)]
    [InlineData(Lie.NoEndOfOutboard, null)]
    [InlineData(Lie.Cut, false)]
    [InlineData(Lie.Stall, false)]
    [InlineData(Lie.StallInTheMiddle, false)]
    [InlineData(Lie.Trickle, false)]
    [InlineData(Lie.Broken, false)]
    [InlineData(Lie.NoBlobs, false)]
    public async Task A_peer_that_lies_is_named_and_the_blob_comes_from_the_honest_one(Lie lie, bool? isLie)
    {
        var content = StoreDirectory.Content(6_000_000);
        await using var liar = new LyingPeer(lie, content);

        // Slow, so that the liar gets its chance.
        await using var honest = await Served.StartAsync(options => options.SendBytesPerSecond = 8_000_000);
        var hash = await honest.AddAsync(content);
        var store = _directory.Open();

        var fetched = await Served.Fetcher(store, liar.Url, honest.Url).FetchAsync(hash, null, null, _limit.Token);

        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
        var fault = fetched.Faults.SingleOrDefault();
        if (isLie is not null || fault is not null)
        {
            // Who lies about the outboard alone may have sent all of the blob, and truly.
            Assert.Contains(honest.Url, fetched.Sources);
        }

        switch (isLie)
        {
            case true:
                Assert.Equal((liar.Url, true), (fault?.Peer, fault!.IsLie));
                break;
            case false:
                // Who only fails is given up after some failures; the blob may be here before that.
                Assert.True(fault is null || (fault.Peer == liar.Url && !fault.IsLie));
                break;
            default:
                // Its outboard matters only when it was asked for it first.
                Assert.True(fault is null || (fault.Peer == liar.Url && fault.IsLie));
                break;
        }

        Assert.InRange(liar.Requests, 1, 100);
        Assert.Equal(honest.Directory.Files(), _directory.Files());
    }

    [Theory]
    [InlineData(Lie.WrongBytes, "are not the blob's")]
    [InlineData(Lie.WrongBytesLate, "are not the blob's")]
    [InlineData(Lie.WrongOutboard, "outboard is wrong at byte 72")]
    [InlineData(Lie.WrongSizeInLastGroup, "are not the blob's")]
    [InlineData(Lie.NoEndOfOutboard, "no end")]
    [InlineData(Lie.Cut, "ended before byte")]
    [InlineData(Lie.Stall, "nothing came for")]
    [InlineData(Lie.Broken, "")]
    [InlineData(Lie.NoBlobs, "not what was expected")]
    public async Task A_liar_alone_gives_nothing_and_the_failure_says_why(Lie lie, string reason)
    {
        var content = StoreDirectory.Content(300_000);
        await using var liar = new LyingPeer(lie, content);
        var store = _directory.Open();
        var failure = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => Served.Fetcher(store, liar.Url).FetchAsync(Blake3.Hash(content), null, null, _limit.Token));
        Assert.Contains($"{liar.Url} (", failure.Message, StringComparison.Ordinal);
        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
        Assert.False(store.Has(Blake3.Hash(content)));
    }

    [Theory]
    [InlineData(Lie.WrongBytes)]
    [InlineData(Lie.NoEnd)]
    public async Task A_small_blob_is_checked_like_a_large_one(Lie lie)
    {
        var content = StoreDirectory.Content(5_000);
        await using var liar = new LyingPeer(lie, content);
        await using var honest = await Served.StartAsync();
        var hash = await honest.AddAsync(content);
        var store = _directory.Open();
        await Served.Fetcher(store, liar.Url, honest.Url).FetchAsync(hash, null, null, _limit.Token);
        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
    }

    [Fact]
    public async Task Nobody_has_it_says_who_was_asked()
    {
        await using var empty = await Served.StartAsync();
        var hash = Blake3.Hash("nobody has me"u8);
        var store = _directory.Open();
        var failure = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => Served.Fetcher(store, empty.Url, "http://127.0.0.1:1").FetchAsync(hash, null, null, _limit.Token));
        Assert.Contains($"{empty.Url} (it does not hold it)", failure.Message, StringComparison.Ordinal);
        Assert.Contains("http://127.0.0.1:1 (Connection refused", failure.Message, StringComparison.Ordinal);
        var alone = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => Served.Fetcher(store).FetchAsync(hash, null, null, _limit.Token));
        Assert.Contains("no peer to ask", alone.Message, StringComparison.Ordinal);
        Assert.Empty(_directory.Files());
    }

    [Fact]
    public async Task A_fetch_that_was_broken_off_goes_on_from_what_was_verified()
    {
        var content = StoreDirectory.Content(8_000_000);
        await using var slow = await Served.StartAsync(options => options.SendBytesPerSecond = 4_000_000);
        var hash = await slow.AddAsync(content);
        var store = _directory.Open();
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token);
        var progress = new Told([]) { After = one => one.Bytes > 2_000_000 ? impatient.CancelAsync() : Task.CompletedTask };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Served.Fetcher(store, slow.Url).FetchAsync(hash, null, progress, impatient.Token));
        var partial = store.Find(hash)!;
        Assert.Equal((BlobState.Partial, content.Length), (partial.State, partial.Size));

        // Also where some of it is damaged, and the outboard's end is lost.
        var file = Path.Combine(_directory.Root, "partial", hash.ToString());
        StoreDirectory.Flip(file, 100);
        await using var fast = await Served.StartAsync();
        await fast.AddAsync(content);
        var seen = new List<FetchProgress>();
        await Served.Fetcher(_directory.Open(), fast.Url).FetchAsync(hash, null, new Told(seen), _limit.Token);
        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
        Assert.Equal(fast.Directory.Files(), _directory.Files());
    }

    [Fact]
    public async Task A_hundred_who_ask_at_once_fetch_once()
    {
        var content = StoreDirectory.Content(3_000_000);
        await using var peer = await Served.StartAsync(options => options.SendBytesPerSecond = 30_000_000);
        var hash = await peer.AddAsync(content);
        var store = _directory.Open();
        var one = Served.Fetcher(store, peer.Url);
        var other = Served.Fetcher(_directory.Open(), peer.Url);
        var all = await Task.WhenAll(Enumerable.Range(0, 100).Select(i =>
            (i % 2 == 0 ? one : other).FetchAsync(hash, null, null, _limit.Token)));
        Assert.InRange(all.Count(fetched => fetched.Sources.Count > 0), 1, 50);
        Assert.Equal(content, await store.ReadAsync(hash, _limit.Token));
        Assert.Equal(peer.Directory.Files(), _directory.Files());
    }

    [Fact]
    public async Task What_turns_out_damaged_is_fetched_again()
    {
        var content = StoreDirectory.Content(100_000);
        await using var peer = await Served.StartAsync();
        var hash = await peer.AddAsync(content);
        var store = _directory.Open();
        var fetcher = Served.Fetcher(store, peer.Url);
        await store.AddBytesAsync(content, _limit.Token);
        StoreDirectory.Flip(_directory.FileOf(hash), 77_777);
        Assert.Equal(content, await fetcher.ReadAsync(hash, content.Length, _limit.Token));
        Assert.Equal(peer.Directory.Files(), _directory.Files());
    }

    [Fact]
    public async Task A_blob_larger_than_the_store_takes_is_refused()
    {
        var content = StoreDirectory.Content(300_000);
        await using var peer = await Served.StartAsync();
        var hash = await peer.AddAsync(content);
        var small = _directory.Open(options => options.MaxBlobBytes = 299_999);
        var failure = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => Served.Fetcher(small, peer.Url).FetchAsync(hash, null, null, _limit.Token));
        Assert.Contains("299999", failure.Message, StringComparison.Ordinal);
        var full = _directory.Open(options => options.QuotaBytes = 200_000);
        await Assert.ThrowsAsync<BlobQuotaException>(
            () => Served.Fetcher(full, peer.Url).FetchAsync(hash, null, null, _limit.Token));
    }

    private sealed class Told(List<FetchProgress> seen) : IProgress<FetchProgress>
    {
        public Func<FetchProgress, Task>? After { get; init; }

        public void Report(FetchProgress value)
        {
            seen.Add(value);
            _ = After?.Invoke(value);
        }
    }
}
