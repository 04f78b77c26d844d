using MeshLedger.Crypto;
using MeshLedger.Testing;

namespace MeshLedger.Blobs.Tests;

/// <summary>The lines of the fault table of src/Blobs/README.md that are no crash: a step that fails. A directory stands
/// where a file is to come, so that renaming fails.</summary>
public sealed class FaultTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly byte[] Content = StoreDirectory.Content(100_000);
    private static readonly BlobHash Name = Blake3.Hash(Content);
    private readonly StoreDirectory _directory = new(inMemory: true);

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(".obao", false)]
    [InlineData("", false)]
    [InlineData(".json", true)]
    public async Task A_file_that_cannot_be_put_into_place_fails_the_addition(string ending, bool isThere)
    {
        var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
        var obstacle = Obstruct(_directory.FileOf(Name, ending));
        var addition = new BlobAddition { Metadata = new BlobMetadata { Name = "x" } };

        await Assert.ThrowsAnyAsync<Exception>(() => store.AddAsync(new MemoryStream(Content), addition, None));

        Assert.Equal(isThere, store.Has(Name));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_directory.Root, "tmp")));
        Directory.Delete(obstacle, recursive: true);

        // The same again succeeds; and without it, a collection leaves nothing.
        await store.Collector.CollectAsync(None);
        Assert.Empty(_directory.Files());
        await store.AddAsync(new MemoryStream(Content), addition, None);
        Assert.Equal(Content, await store.ReadAsync(Name, None));
        Assert.Equal("x", store.Find(Name)!.Metadata.Name);
    }

    [Fact]
    public async Task A_tag_that_cannot_be_written_leaves_the_blob_without_it()
    {
        var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
        var tag = BlobTag.Parse("t");
        var obstacle = Obstruct(store.Files.TagOf(tag));
        await Assert.ThrowsAnyAsync<Exception>(
            () => store.AddAsync(new MemoryStream(Content), new BlobAddition { Tag = tag }, None));
        Assert.ThrowsAny<Exception>(() => store.Tags.Protect(Name, tag));
        Assert.True(store.Has(Name));
        Directory.Delete(obstacle, recursive: true);
        store.Tags.Protect(Name, tag);
        Assert.Empty((await store.Collector.CollectAsync(None)).Removed);
    }

    [Fact]
    public async Task What_is_damaged_and_cannot_be_put_away_is_not_read_either()
    {
        var store = _directory.Open();
        await store.AddBytesAsync(Content, None);
        StoreDirectory.Flip(_directory.FileOf(Name), 50_000);
        var obstacle = Obstruct(store.Files.QuarantineOf(Name));
        for (var i = 0; i < 2; i++)
        {
            var read = new MemoryStream();
            await Assert.ThrowsAnyAsync<Exception>(() => store.CopyToAsync(Name, read, None));
            Assert.Equal(Content[..49_152], read.ToArray());
        }

        Directory.Delete(obstacle, recursive: true);
        await Assert.ThrowsAsync<BlobDamagedException>(() => store.ReadAsync(Name, None));
        Assert.False(store.Has(Name));
    }

    [Fact]
    public async Task A_full_disk_fails_the_addition_and_nothing_else()
    {
        using var disk = SmallDisk.Mount(4);
        var store = BlobStore.Open(Path.Combine(disk.Root, "blobs"), new BlobStoreOptions(), TimeProvider.System);
        var small = await store.AddBytesAsync(Content, None);
        await Assert.ThrowsAsync<IOException>(() => store.AddAsync(new EndlessStream(), BlobAddition.Plain, None));
        Assert.Equal(Content, await store.ReadAsync(small, None));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(store.Files.Root, "tmp")));
        await store.AddBytesAsync(StoreDirectory.Content(200_000), None);
    }

    /// <summary>A fetch that died while it made its blob complete: the outboard is in place already, or all of it.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fetch_that_died_while_it_ended_is_ended_by_the_next(bool isContentInPlace)
    {
        await using var peer = await Served.StartAsync();
        await peer.AddAsync(Content);
        var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
        Directory.CreateDirectory(Path.GetDirectoryName(_directory.FileOf(Name))!);
        File.Copy(peer.Directory.FileOf(Name, ".obao"), _directory.FileOf(Name, ".obao"));
        File.Copy(
            peer.Directory.FileOf(Name), isContentInPlace ? _directory.FileOf(Name) : store.Files.PartialOf(Name));
        await File.WriteAllTextAsync(store.Files.PartialOf(Name) + ".lock", "");
        if (isContentInPlace)
        {
            File.Copy(peer.Directory.FileOf(Name, ".obao"), store.Files.PartialOutboardOf(Name));
        }

        await Served.Fetcher(store, peer.Url).FetchAsync(Name, null, null, None);

        Assert.Equal(Content, await store.ReadAsync(Name, None));
        store.Tags.Protect(Name, BlobTag.Parse("t"));
        await store.Collector.CollectAsync(None);
        Assert.Equal(
            peer.Directory.Files(), _directory.Files().Where(file => !file.StartsWith("tags/", StringComparison.Ordinal)));
    }

    /// <summary>Holes read as zeros, and here zeros would even verify; they are fetched all the same, unread.</summary>
    [Fact]
    public async Task What_never_came_is_fetched_though_a_hole_would_verify()
    {
        await using var peer = await Served.StartAsync();
        var zeros = new byte[3_000_000];
        var hash = await peer.AddAsync(zeros);
        var store = _directory.Open();
        File.Copy(peer.Directory.FileOf(hash, ".obao"), store.Files.PartialOutboardOf(hash));
        await using (var partial = new FileStream(store.Files.PartialOf(hash), FileMode.CreateNew))
        {
            partial.SetLength(zeros.Length);
            partial.Write(zeros.AsSpan(0, 100_000));
        }

        await Served.Fetcher(store, peer.Url).FetchAsync(hash, null, null, None);

        Assert.Equal(zeros, await store.ReadAsync(hash, None));
        using var file = File.OpenHandle(_directory.FileOf(hash));
        Assert.Equal(long.MaxValue, Linux.NextData(file, zeros.Length));
        for (var at = 0; at < zeros.Length; at += 16_384)
        {
            Assert.Equal(at, Linux.NextData(file, at));
        }
    }

    /// <summary>A collector that died in the middle of a removal, or of a sweep.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(".obao")]
    [InlineData(".json")]
    public async Task A_removal_that_was_broken_off_is_ended_by_the_next_collection(string left)
    {
        var store = _directory.Open(options => options.Grace = TimeSpan.Zero);
        await store.AddAsync(
            new MemoryStream(Content), new BlobAddition { Metadata = new BlobMetadata { Name = "x" } }, None);
        foreach (var ending in ((string[])["", ".obao", ".json"]).Where(ending => ending != left))
        {
            File.Delete(_directory.FileOf(Name, ending));
        }

        var collecting = Directory.CreateDirectory(Path.Combine(_directory.Root, "collecting")).FullName;
        await File.WriteAllTextAsync(Path.Combine(collecting, Name.ToString()), "");
        await store.Collector.CollectAsync(None);
        Assert.Empty(_directory.Files());
        Assert.False(Directory.Exists(collecting));
    }

    [Fact]
    public async Task Metadata_of_what_is_in_quarantine_wait_for_it_to_be_healed()
    {
        var clock = new SetClock { Now = TimeProvider.System.GetUtcNow() };
        var store = _directory.Open(options => options.Grace = TimeSpan.FromHours(1), clock);
        var addition = new BlobAddition { Metadata = new BlobMetadata { Name = "x" } };
        await store.AddAsync(new MemoryStream(Content), addition, None);
        StoreDirectory.Flip(_directory.FileOf(Name), 1);
        await Assert.ThrowsAsync<BlobDamagedException>(() => store.ReadAsync(Name, None));
        await store.Collector.CollectAsync(None);
        await store.AddBytesAsync(Content, None);
        Assert.Equal("x", store.Find(Name)!.Metadata.Name);

        StoreDirectory.Flip(_directory.FileOf(Name), 1);
        await Assert.ThrowsAsync<BlobDamagedException>(() => store.ReadAsync(Name, None));
        clock.Now += TimeSpan.FromHours(2);
        await store.Collector.CollectAsync(None);
        Assert.Empty(_directory.Files());
    }

    private static string Obstruct(string path)
    {
        Directory.CreateDirectory(Path.Combine(path, "obstacle"));
        return path;
    }
}
