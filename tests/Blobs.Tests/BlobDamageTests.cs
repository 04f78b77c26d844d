using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>Slices and outboards as they are served, and what is served when this node's own copy is damaged.</summary>
public sealed class BlobDamageTests : IDisposable
{
    private const int Length = 600_000;

    private static readonly byte[] Content = StoreDirectory.Content(Length);
    private static readonly BlobHash Name = Blake3.Hash(Content);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(120));
    private readonly HttpClient _client = new();

    public void Dispose()
    {
        _limit.Dispose();
        _client.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(Length)]
    public async Task The_outboard_is_the_stores_and_a_receiver_takes_it(int length)
    {
        await using var served = await Served.StartAsync();
        var hash = await served.AddAsync(StoreDirectory.Content(length));
        var tree = new BaoTree(length);

        var outboard = await RawHttp.AskAsync(served, $"GET /v1/blobs/{hash}/outboard", _limit.Token);

        Assert.Equal((200, true, tree.OutboardBytes), (outboard.Status, outboard.IsWhole, outboard.Body.Length));
        Assert.Equal(length, BitConverter.ToInt64(outboard.Body));
        var receiver = new BaoOutboardReceiver(hash, tree);
        Assert.True(receiver.Accept(outboard.Body, out _));
        Assert.True(receiver.IsComplete);
        if (tree.Groups > 1)
        {
            Assert.Equal(await File.ReadAllBytesAsync(served.Directory.FileOf(hash, ".obao")), outboard.Body);
        }
    }

    [Fact]
    public async Task Any_slice_decodes_to_its_range()
    {
        await using var served = await Served.StartAsync();
        var contents = new Dictionary<int, (byte[] Content, BlobHash Hash)>();
        foreach (var length in (int[])[0, 1, 1_024, 1_025, 16_384, 16_385, 32_768, 300_000])
        {
            var content = StoreDirectory.Content(length);
            contents[length] = (content, await served.AddAsync(content));
        }

        var ranges = Gen.Elements(contents.Keys.ToArray()).SelectMany(length =>
            Gen.Choose(0, length + 2_000).SelectMany(offset =>
                Gen.OneOf(Gen.Choose(0, 3_000), Gen.Choose(0, 300_000)).Select(count => (length, offset, count))));
        Prop.ForAll(ranges.ToArbitrary(), range =>
        {
            var (content, hash) = contents[range.length];
            var (slice, isWhole) = Ask(served, $"{hash}/slice?offset={range.offset}&length={range.count}");
            var decoded = new MemoryStream();
            BaoDecoder.Slice(hash, new MemoryStream(slice), range.offset, range.count).CopyTo(decoded);
            var from = Math.Min(range.offset, content.Length);
            var to = (int)Math.Min(content.Length, (long)from + range.count);
            return isWhole && decoded.ToArray().AsSpan().SequenceEqual(content.AsSpan(from, to - from));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300_000)]
    [InlineData(Length - 1)]
    public async Task Damaged_content_breaks_the_connection_and_is_gone_from_then_on(int flip)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        StoreDirectory.Flip(served.Directory.FileOf(Name), flip);

        // What lies in other groups is still served.
        var elsewhere = flip == 0 ? Length - 10 : 0;
        var part = await RawHttp.AskAsync(
            served, $"GET /v1/blobs/{Name}", _limit.Token, $"Range: bytes={elsewhere}-{elsewhere + 9}");
        Assert.Equal((206, true), (part.Status, part.IsWhole));
        Assert.Equal(Content[elsewhere..(elsewhere + 10)], part.Body);

        var broken = await RawHttp.AskAsync(served, $"GET /v1/blobs/{Name}", _limit.Token);

        if (flip == 0)
        {
            Assert.Equal((404, "BLOB_DAMAGED"), (broken.Status, broken.Code));
        }
        else
        {
            Assert.Equal((200, false), (broken.Status, broken.IsWhole));
            Assert.True(Content.AsSpan().StartsWith(broken.Body));
        }

        Assert.Equal(BlobState.Quarantined, served.Store.Find(Name)!.State);
        var gone = await RawHttp.AskAsync(served, $"GET /v1/blobs/{Name}", _limit.Token);
        Assert.Equal((404, "BLOB_NOT_FOUND"), (gone.Status, gone.Code));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(1_000)]
    public async Task A_damaged_outboard_is_made_anew(int flip)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var file = served.Directory.FileOf(Name, ".obao");
        var right = await File.ReadAllBytesAsync(file);
        foreach (var path in (string[])["", "/outboard", "/slice?offset=0&length=600000"])
        {
            StoreDirectory.Flip(file, flip);
            var (first, firstIsWhole) = Ask(served, Name + path);
            var (second, secondIsWhole) = Ask(served, Name + path);
            Assert.True(secondIsWhole);
            Assert.True(second.AsSpan().StartsWith(first));
            Assert.Equal(firstIsWhole, first.Length == second.Length);
            Assert.Equal(right, await File.ReadAllBytesAsync(file));
        }
    }

    /// <summary>Whichever bit is flipped, in the content or in the outboard, and whatever is asked for: what comes is the
    /// beginning of the right answer, and is said to be whole only if it is.</summary>
    [Fact]
    public async Task No_wrong_byte_ever_leaves_whichever_bit_is_flipped()
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var content = served.Directory.FileOf(Name);
        var outboard = served.Directory.FileOf(Name, ".obao");
        var questions = Gen.Choose(0, Length).SelectMany(from => Gen.Elements(
            "", "/outboard", $"/slice?offset={from}&length=1", $"/slice?offset={from}&length=100000",
            "/slice?offset=0&length=600000"));
        var right = new Dictionary<string, byte[]>();
        var flips = questions.SelectMany(path => Gen.Choose(0, Length - 1).SelectMany(at =>
            Gen.Elements(true, false).Select(isContent => (path, at, isContent))));
        Prop.ForAll(flips.ToArbitrary(), flip =>
        {
            var (path, at, isContent) = flip;
            if (!right.TryGetValue(path, out var expected))
            {
                right[path] = expected = Ask(served, Name + path).Bytes;
            }

            StoreDirectory.Flip(isContent ? content : outboard, isContent ? at : at % new FileInfo(outboard).Length);
            var (found, isWhole) = Ask(served, Name + path);
            served.Store.AddBytesAsync(Content, CancellationToken.None).GetAwaiter().GetResult();
            return expected.AsSpan().StartsWith(found) && (!isWhole || found.Length == expected.Length || found.Length == 0);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task Readers_at_the_same_time_of_what_is_damaged_get_right_bytes_or_are_told()
    {
        await using var served = await Served.StartAsync();
        for (var round = 0; round < 20; round++)
        {
            await served.AddAsync(Content);
            StoreDirectory.Flip(served.Directory.FileOf(Name, round % 2 == 0 ? ".obao" : ""), 1_000);
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => RawHttp.AskAsync(
                served, $"GET /v1/blobs/{Name}{(i % 2 == 0 ? "" : "/outboard")}", _limit.Token)));
            Assert.All(answers, answer => Assert.True(
                answer.Status is 0 or 200 || answer.Code is "BLOB_DAMAGED" or "BLOB_NOT_FOUND",
                $"{answer.Status} {answer.Code}"));
        }
    }

    /// <summary>What came of the body; a refusal is no bytes.</summary>
    private (byte[] Bytes, bool IsWhole) Ask(Served served, string path)
    {
        var received = new MemoryStream();
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{served.Url}/v1/blobs/{path}");
            using var response = _client.Send(request, HttpCompletionOption.ResponseHeadersRead, _limit.Token);
            if (response.IsSuccessStatusCode)
            {
                using var body = response.Content.ReadAsStream(_limit.Token);
                body.CopyTo(received);
            }

            return (received.ToArray(), true);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (received.ToArray(), false);
        }
    }
}
