using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MeshLedger.Blobs.Http;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>Adding over HTTP: by whom, what, and how much.</summary>
public sealed class BlobPutTests : IAsyncLifetime
{
    private const int MaxBytes = 1_000_000;

    private static readonly SigningKey Key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly byte[] Content = StoreDirectory.Content(100_000);
    private static readonly BlobHash Name = Blake3.Hash(Content);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));
    private readonly SetClock _clock = new();
    private Served _served = null!;

    public async Task InitializeAsync() => _served = await Served.StartAsync(
        options => options.MayAdd = did => did == Key.Did, options => options.MaxBlobBytes = MaxBytes);

    public async Task DisposeAsync()
    {
        await _served.DisposeAsync();
        _limit.Dispose();
    }

    [Fact]
    public async Task Who_may_adds_and_adding_again_is_told()
    {
        var first = await PutAsync(Signed(Key, Name), Content, "Content-Type: application/x-elf");
        Assert.Equal((201, $"/v1/blobs/{Name}"), (first.Status, first.Headers["location"]));
        Assert.Equal(
            $$"""{"hash":"{{Name}}","size":100000,"was_new":true}""", Encoding.UTF8.GetString(first.Body));
        Assert.Equal(Content, await _served.Store.ReadAsync(Name, _limit.Token));
        Assert.Equal("application/x-elf", _served.Store.Find(Name)!.Metadata.ContentType);

        var again = await PutAsync(Signed(Key, Name), Content);
        Assert.Equal(200, again.Status);
        Assert.False(JsonDocument.Parse(again.Body).RootElement.GetProperty("was_new").GetBoolean());

        var empty = await PutAsync(Signed(Key, Blake3.Hash([])), []);
        Assert.Equal(201, empty.Status);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task What_comes_in_chunks_of_any_size_is_added(int chunk)
    {
        var content = Content[..Math.Min(Content.Length, chunk * 1_000)];
        var body = new StringBuilder();
        foreach (var piece in content.Chunk(chunk))
        {
            body.Append(CultureInfo.InvariantCulture, $"{piece.Length:x}\r\n")
                .Append(Encoding.Latin1.GetString(piece)).Append("\r\n");
        }

        var answer = await SendAsync(
            Head(Signed(Key, Blake3.Hash(content)), "Transfer-Encoding: chunked"), Encoding.Latin1.GetBytes(body + "0\r\n\r\n"));
        Assert.Equal(201, answer.Status);
        Assert.Equal(content, await _served.Store.ReadAsync(Blake3.Hash(content), _limit.Token));
    }

    [Fact]
    public async Task Who_did_not_sign_this_very_request_now_is_refused_before_a_byte_is_read()
    {
        var other = SigningKey.FromSeed([.. Enumerable.Repeat((byte)8, 32)]);
        var now = TimeProvider.System.GetUtcNow();
        var right = Signed(Key, Name);
        var (input, signature) = MessageSignature.Sign(Key, "/v1/blobs", Name, now);
        (string Why, int Status, string Code, string[] Headers)[] wrong =
        [
            ("nothing", 400, "WRONG_HASH", []),
            ("no hash", 400, "WRONG_HASH", right[1..]),
            ("a capital", 400, "WRONG_HASH", [right[0].ToUpperInvariant(), .. right[1..]]),
            ("two hashes", 400, "WRONG_HASH", [right[0], .. right]),
            ("unsigned", 401, "NOT_SIGNED", [right[0]]),
            ("no signature", 401, "NOT_SIGNED", right[..2]),
            ("no input", 401, "NOT_SIGNED", [right[0], right[2]]),
            ("two signatures", 401, "NOT_SIGNED", [.. right, right[2]]),
            ("two inputs", 401, "NOT_SIGNED", [.. right, right[1]]),
            ("another's key", 403, "NOT_ALLOWED", Signed(other, Name)),
            ("another hash", 401, "NOT_SIGNED", [$"Blob-Hash: {Blake3.Hash("x"u8)}", .. right[1..]]),
            ("another path", 401, "NOT_SIGNED", Headers(MessageSignature.Sign(Key, "/v1/blobs/", Name, now))),
            ("too old", 401, "NOT_SIGNED", Signed(Key, Name, now.AddSeconds(-310))),
            ("too new", 401, "NOT_SIGNED", Signed(Key, Name, now.AddSeconds(310))),
            ("expired", 401, "NOT_SIGNED", Resigned(input + $";expires={now.ToUnixTimeSeconds() - 1}")),
            ("fewer components", 401, "NOT_SIGNED", Resigned(Instead(input, " \"blob-hash\"", ""))),
            ("component twice", 401, "NOT_SIGNED", Resigned(Instead(input, "\"@path\"", "\"@path\" \"@path\""))),
            ("absent component", 401, "NOT_SIGNED", Resigned(Instead(input, "\"@path\"", "\"@path\" \"x\""))),
            ("other order", 401, "NOT_SIGNED",
                Headers((Instead(input, "\"@method\" \"@path\"", "\"@path\" \"@method\""), signature))),
            ("no time", 401, "NOT_SIGNED", Resigned(Instead(input, "created", "x"))),
            ("another algorithm", 401, "NOT_SIGNED", Resigned(Instead(input, "ed25519", "rsa-pss-sha512"))),
            ("another's name", 401, "NOT_SIGNED",
                Headers((Instead(input, Key.Did.ToString(), other.Did.ToString()), signature))),
            ("label", 401, "NOT_SIGNED", Headers((input, Instead(signature, "blob=", "b=")))),
        ];
        foreach (var (why, status, code, headers) in wrong)
        {
            var answer = await PutAsync(headers, Content);
            Assert.Equal((why, status, code), (why, answer.Status, answer.Code));
            Assert.Empty(_served.Directory.Files());
        }

        // A request that promises a body and awaits a word is answered without one.
        var waiting = await SendAsync(Head([right[0]], "Content-Length: 1000000000", "Expect: 100-continue"), []);
        Assert.Equal((401, "NOT_SIGNED"), (waiting.Status, waiting.Code));
    }

    [Fact]
    public async Task What_is_not_the_blob_that_was_named_is_refused_and_leaves_nothing()
    {
        var other = StoreDirectory.Content(100_000, 1);
        var wrong = await PutAsync(Signed(Key, Name), other);
        Assert.Equal((422, "WRONG_CONTENT"), (wrong.Status, wrong.Code));
        Assert.Empty(_served.Directory.Files());

        // More than was promised belongs to no request.
        var longer = await SendAsync(Head(Signed(Key, Name), "Content-Length: 99999"), Content);
        Assert.Equal((422, "WRONG_CONTENT"), (longer.Status, longer.Code));
        Assert.Empty(_served.Directory.Files());

        // Less: the client goes away before the end.
        using (var client = await RawHttp.ConnectAsync(_served, _limit.Token))
        {
            byte[] cutShort = [.. Encoding.ASCII.GetBytes(Head(Signed(Key, Name), "Content-Length: 100001")), .. Content];
            await client.GetStream().WriteAsync(cutShort, _limit.Token);
            client.Client.Shutdown(SocketShutdown.Send);
            var cut = await RawHttp.ReadAsync(client, _limit.Token);
            Assert.Contains(cut.Status, (int[])[0, 400]);
        }

        // It is given up after that.
        while (Directory.EnumerateFileSystemEntries(Path.Combine(_served.Directory.Root, "tmp")).Any())
        {
            await Task.Delay(10, _limit.Token);
        }

        Assert.Empty(_served.Directory.Files());
    }

    [Fact]
    public async Task What_is_too_large_is_refused_at_once_where_it_says_so()
    {
        var answer = await SendAsync(Head(Signed(Key, Name), "Content-Length: 1000001", "Expect: 100-continue"), []);
        Assert.Equal((413, "BLOB_TOO_LARGE"), (answer.Status, answer.Code));
        Assert.Empty(_served.Directory.Files());
    }

    [Fact]
    public async Task A_body_without_end_is_cut_off_while_it_comes()
    {
        using var client = await RawHttp.ConnectAsync(_served, _limit.Token);
        var stream = client.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(Head(Signed(Key, Name), "Transfer-Encoding: chunked")), _limit.Token);
        var sent = 0L;
        var sending = Task.Run(async () =>
        {
            byte[] chunk = [.. "10000\r\n"u8, .. new byte[65_536], .. "\r\n"u8];
            try
            {
                while (true)
                {
                    await stream.WriteAsync(chunk, _limit.Token);
                    sent += chunk.Length;
                }
            }
            catch (IOException)
            {
                // The server has closed the connection.
            }
        });

        var answer = await RawHttp.ReadAsync(client, _limit.Token);
        await sending;

        // The answer may be lost where the connection breaks under what was still sent.
        Assert.True(answer.Status == 0 || answer is { Status: 413, Code: "BLOB_TOO_LARGE" }, $"{answer.Status}");
        Assert.InRange(sent, MaxBytes, MaxBytes + (32 << 20));
        Assert.Empty(_served.Directory.Files());
    }

    [Fact]
    public async Task What_does_not_fit_the_quota_is_refused_and_leaves_nothing()
    {
        await using var full = await Served.StartAsync(
            options => options.MayAdd = _ => true, options => options.QuotaBytes = 50_000);
        var answer = await SendAsync(
            Head(Signed(Key, Name), $"Content-Length: {Content.Length}"), Content, full);
        Assert.Equal((507, "STORE_FULL"), (answer.Status, answer.Code));
        var chunked = await SendAsync(
            Head(Signed(Key, Name), "Transfer-Encoding: chunked"),
            [.. "186a0\r\n"u8, .. Content, .. "\r\n0\r\n\r\n"u8], full);
        Assert.Equal((507, "STORE_FULL"), (chunked.Status, chunked.Code));
        Assert.Empty(full.Directory.Files());
    }

    [Fact]
    public async Task A_signature_counts_for_five_minutes_by_the_nodes_clock()
    {
        await using var served = await Served.StartAsync(options => options.MayAdd = _ => true, clock: _clock);
        foreach (var (seconds, status) in ((int, int)[])[(-301, 401), (-300, 201), (0, 200), (300, 200), (301, 401)])
        {
            var answer = await SendAsync(
                Head(Signed(Key, Name, _clock.Now.AddSeconds(seconds)), $"Content-Length: {Content.Length}"), Content,
                served);
            Assert.Equal((seconds, status), (seconds, answer.Status));
        }
    }

    private static string Instead(string text, string old, string other) =>
        text.Replace(old, other, StringComparison.Ordinal);

    private static string[] Signed(SigningKey key, BlobHash hash, DateTimeOffset? now = null) =>
        [
            $"Blob-Hash: {hash}",
            .. Headers(MessageSignature.Sign(key, "/v1/blobs", hash, now ?? TimeProvider.System.GetUtcNow()))[1..],
        ];

    private static string[] Headers((string Input, string Signature) signed) =>
        [$"Blob-Hash: {Name}", $"Signature-Input: {signed.Input}", $"Signature: {signed.Signature}"];

    /// <summary>Signed rightly, as the input says.</summary>
    private static string[] Resigned(string input) => Headers((input, SignatureSamples.Sign(Key, input, Name)));

    private static string Head(string[] signed, params string[] headers) =>
        "PUT /v1/blobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + string.Concat(signed.Concat(headers).Select(header => header + "\r\n")) + "\r\n";

    private Task<RawAnswer> PutAsync(string[] signed, byte[] content, params string[] headers) => SendAsync(
        Head(signed, [$"Content-Length: {content.Length}", .. headers]), content);

    private async Task<RawAnswer> SendAsync(string head, byte[] body, Served? served = null)
    {
        using var client = await RawHttp.ConnectAsync(served ?? _served, _limit.Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head), _limit.Token);
        try
        {
            await client.GetStream().WriteAsync(body, _limit.Token);
        }
        catch (IOException)
        {
            // Refused while it was sent.
        }

        return await RawHttp.ReadAsync(client, _limit.Token);
    }
}
