using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

public sealed class BlobDirectoryTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-blobs-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task What_was_added_comes_back_to_the_byte()
    {
        var blobs = BlobDirectory.Open(_root);
        var content = Content(300_000);

        var hash = await blobs.AddBytesAsync(content, None);

        Assert.Equal(Blake3.Hash(content), hash);
        Assert.True(blobs.Has(hash));
        Assert.Equal(300_000, blobs.SizeOf(hash));
        Assert.Equal(content, await blobs.ReadAsync(hash, None));
        var copy = new MemoryStream();
        await blobs.CopyToAsync(hash, copy, None);
        Assert.Equal(content, copy.ToArray());
        var name = hash.ToString();
        Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(_root, name[..2], name[2..])));
    }

    [Fact]
    public async Task The_empty_blob_is_a_blob()
    {
        var blobs = BlobDirectory.Open(_root);
        var hash = await blobs.AddBytesAsync(Array.Empty<byte>(), None);
        Assert.Equal("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", hash.ToString());
        Assert.Empty(await blobs.ReadAsync(hash, None));
    }

    [Fact]
    public async Task Ten_writers_of_one_content_leave_one_blob()
    {
        var blobs = BlobDirectory.Open(_root);
        var content = Content(500_000);

        var hashes = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(async () =>
        {
            var hash = await blobs.AddBytesAsync(content, None);
            Assert.Equal(content, await blobs.ReadAsync(hash, None));
            return hash;
        })));

        Assert.Single(hashes.Distinct());
        Assert.Single(Files());
    }

    [Fact]
    public async Task A_flipped_bit_on_disk_is_never_handed_out_and_adding_again_heals_it()
    {
        var blobs = BlobDirectory.Open(_root);
        var content = Content(5_000);
        var hash = await blobs.AddBytesAsync(content, None);
        var bytes = await File.ReadAllBytesAsync(Files().Single());
        bytes[4_321] ^= 4;
        await File.WriteAllBytesAsync(Files().Single(), bytes);

        var destination = new MemoryStream();
        var damaged = await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.CopyToAsync(hash, destination, None));
        Assert.Contains(hash.ToString(), damaged.Message, StringComparison.Ordinal);
        Assert.Equal(0, destination.Length);
        await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.OpenVerifiedAsync(hash, None));
        await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.ReadAsync(hash, None));

        await blobs.AddBytesAsync(content, None);
        Assert.Equal(content, await blobs.ReadAsync(hash, None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4_999)]
    public async Task A_blob_that_was_cut_on_disk_is_damaged(int length)
    {
        var blobs = BlobDirectory.Open(_root);
        var hash = await blobs.AddBytesAsync(Content(5_000), None);
        using (var file = new FileStream(Files().Single(), FileMode.Open))
        {
            file.SetLength(length);
        }

        await Assert.ThrowsAsync<BlobDamagedException>(() => blobs.OpenVerifiedAsync(hash, None));
    }

    [Fact]
    public async Task A_stream_that_is_too_long_is_cut_off_and_leaves_nothing()
    {
        var blobs = BlobDirectory.Open(_root, maxBytes: 1_000_000);
        var endless = new EndlessStream();

        var refused = await Assert.ThrowsAsync<BlobTooLargeException>(() => blobs.AddAsync(endless, None));

        Assert.Contains("1000000", refused.Message, StringComparison.Ordinal);
        Assert.InRange(endless.Given, 1_000_001, 1_300_000);
        Assert.Empty(Files());
        var exact = await blobs.AddBytesAsync(Content(1_000_000), None);
        Assert.True(blobs.Has(exact));
    }

    [Fact]
    public async Task A_source_that_fails_midway_leaves_nothing()
    {
        var blobs = BlobDirectory.Open(_root);
        await Assert.ThrowsAsync<IOException>(() => blobs.AddAsync(new EndlessStream(failAfter: 400_000), None));
        Assert.Empty(Files());
    }

    [Fact]
    public async Task What_is_not_here_is_said_to_be_absent()
    {
        var blobs = BlobDirectory.Open(_root);
        var absent = Blake3.Hash("absent"u8);
        Assert.False(blobs.Has(absent));
        Assert.Null(blobs.SizeOf(absent));
        await Assert.ThrowsAsync<BlobNotFoundException>(() => blobs.OpenVerifiedAsync(absent, None));
        await Assert.ThrowsAsync<BlobNotFoundException>(() => blobs.ReadAsync(absent, None));
        Assert.Throws<ArgumentException>(() => blobs.Has(default));
    }

    [Fact]
    public async Task Opening_sweeps_the_leftovers_of_the_dead_and_spares_the_living()
    {
        var blobs = BlobDirectory.Open(_root);
        var hash = await blobs.AddBytesAsync(Content(10), None);
        var dead = Path.Combine(_root, "tmp", "dead");
        var living = Path.Combine(_root, "tmp", "living");
        await File.WriteAllTextAsync(dead, "half a bl");
        using var writer = new FileStream(living, FileMode.CreateNew, FileAccess.Write, FileShare.None);

        var reopened = BlobDirectory.Open(_root);

        Assert.False(File.Exists(dead));
        Assert.True(File.Exists(living));
        Assert.True(reopened.Has(hash));
    }

    [Fact]
    public async Task Nobody_but_the_owner_can_read_a_blob()
    {
        var blobs = BlobDirectory.Open(Path.Combine(_root, "made"));
        await blobs.AddBytesAsync(Content(10), None);
        const UnixFileMode others = ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Files().Single()) & others);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Path.Combine(_root, "made")) & others);
    }

    private static byte[] Content(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private string[] Files() => Directory.GetFiles(_root, "*", SearchOption.AllDirectories);

    private sealed class EndlessStream(long failAfter = long.MaxValue) : Stream
    {
        public long Given { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => Given; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (Given >= failAfter)
            {
                throw new IOException("The source is gone.");
            }

            Given += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
