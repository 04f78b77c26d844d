using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>What a server answers to those who read.</summary>
public sealed class BlobServerTests : IDisposable
{
    private const int Length = 100_000;

    private static readonly byte[] Content = StoreDirectory.Content(Length);
    private static readonly string Name = Blake3.Hash(Content).ToString();
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));

    public void Dispose() => _limit.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(Length)]
    public async Task A_blob_comes_whole_with_its_name_and_HEAD_tells_the_same_without_it(int length)
    {
        await using var served = await Served.StartAsync();
        var content = StoreDirectory.Content(length);
        var hash = await served.AddAsync(content);

        var whole = await RawHttp.AskAsync(served, $"GET /v1/blobs/{hash}", _limit.Token);

        Assert.Equal((200, true), (whole.Status, whole.IsWhole));
        Assert.Equal(content, whole.Body);
        Assert.Equal($"\"{hash}\"", whole.Headers["etag"]);
        Assert.Equal("bytes", whole.Headers["accept-ranges"]);
        Assert.Equal("public, max-age=31536000, immutable", whole.Headers["cache-control"]);
        Assert.Equal("application/octet-stream", whole.Headers["content-type"]);
        Assert.Equal("nosniff", whole.Headers["x-content-type-options"]);
        Assert.Equal("sandbox; default-src 'none'", whole.Headers["content-security-policy"]);
        Assert.False(whole.Headers.ContainsKey("content-disposition"));
        var head = await RawHttp.AskAsync(served, $"HEAD /v1/blobs/{hash}", _limit.Token);
        Assert.Equal((200, 0), (head.Status, head.Body.Length));
        Assert.Equal(Told(whole), Told(head));
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=10-19", 10, 10)]
    [InlineData("bytes=16000-50000", 16_000, 34_001)]
    [InlineData("bytes=99990-", 99_990, 10)]
    [InlineData("bytes=0-", 0, Length)]
    [InlineData("bytes=-10", 99_990, 10)]
    [InlineData("bytes=-100000", 0, Length)]
    [InlineData("bytes=-200000", 0, Length)]
    [InlineData("bytes=99999-200000", 99_999, 1)]
    public async Task A_range_comes_as_it_was_asked_for(string range, int offset, int count)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var part = await RawHttp.AskAsync(served, $"GET /v1/blobs/{Name}", _limit.Token, $"Range: {range}");
        Assert.Equal((206, true), (part.Status, part.IsWhole));
        Assert.Equal($"bytes {offset}-{offset + count - 1}/{Length}", part.Headers["content-range"]);
        Assert.Equal(Content[offset..(offset + count)], part.Body);
        Assert.Equal($"\"{Name}\"", part.Headers["etag"]);
    }

    [Theory]
    [InlineData("bytes=100000-", Length)]
    [InlineData("bytes=200000-200001", Length)]
    [InlineData("bytes=-0", Length)]
    [InlineData("bytes=0-", 0)]
    [InlineData("bytes=-1", 0)]
    public async Task A_range_past_the_end_is_refused_with_the_length(string range, int length)
    {
        await using var served = await Served.StartAsync();
        var hash = await served.AddAsync(StoreDirectory.Content(length));
        var refused = await RawHttp.AskAsync(served, $"GET /v1/blobs/{hash}", _limit.Token, $"Range: {range}");
        Assert.Equal((416, "RANGE_NOT_SATISFIABLE"), (refused.Status, refused.Code));
        Assert.Equal($"bytes */{length}", refused.Headers["content-range"]);
        Assert.Equal("no-store", refused.Headers["cache-control"]);
    }

    [Theory]
    [InlineData("bytes=0-1,5-9")]
    [InlineData("bytes=5-4")]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=-")]
    [InlineData("bytes=")]
    [InlineData("bytes 0-1")]
    [InlineData("items=0-1")]
    [InlineData("bytes=0x0-0x1")]
    [InlineData("bytes=--1")]
    [InlineData("bytes=99999999999999999999-")]
    [InlineData("")]
    public async Task A_range_that_is_none_or_several_is_ignored(string range)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var whole = await RawHttp.AskAsync(served, $"GET /v1/blobs/{Name}", _limit.Token, $"Range: {range}");
        Assert.Equal((200, true), (whole.Status, whole.IsWhole));
        Assert.False(whole.Headers.ContainsKey("content-range"));
        Assert.Equal(Content, whole.Body);
    }

    [Theory]
    [InlineData("\"NAME\"", 206)]
    [InlineData("W/\"NAME\"", 200)]
    [InlineData("\"other\"", 200)]
    [InlineData("Sat, 21 Nov 2026 12:00:00 GMT", 200)]
    [InlineData("anything", 200)]
    public async Task With_If_Range_only_the_very_blob_is_given_in_part(string condition, int status)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var answer = await RawHttp.AskAsync(
            served, $"GET /v1/blobs/{Name}", _limit.Token, "Range: bytes=1-2", $"If-Range: {Named(condition)}");
        Assert.Equal(status, answer.Status);
        Assert.Equal(status == 206 ? Content[1..3] : Content, answer.Body);
    }

    [Theory]
    [InlineData("\"NAME\"", 304)]
    [InlineData("W/\"NAME\"", 304)]
    [InlineData("\"other\", \"NAME\"", 304)]
    [InlineData("*", 304)]
    [InlineData("\"other\"", 206)]
    [InlineData("NAME", 206)]
    public async Task Who_has_it_already_is_told_so(string condition, int status)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var answer = await RawHttp.AskAsync(
            served, $"GET /v1/blobs/{Name}", _limit.Token, $"If-None-Match: {Named(condition)}", "Range: bytes=0-0");
        Assert.Equal(status, answer.Status);
        Assert.Equal($"\"{Name}\"", answer.Headers["etag"]);
        Assert.Equal("public, max-age=31536000, immutable", answer.Headers["cache-control"]);
        Assert.Equal(status == 304 ? 0 : 1, answer.Body.Length);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a\"; filename=\"b.exe")]
    [InlineData("\\\"\\")]
    [InlineData("наклейка ☃ 😀.bin")]
    [InlineData("%0d%0aX-Evil: 1")]
    [InlineData("<script>")]
    [InlineData(" ")]
    [InlineData("\ud800")]
    public async Task A_name_is_told_as_data_whatever_is_in_it(string name)
    {
        await using var served = await Served.StartAsync();
        var added = await served.Store.AddAsync(
            new MemoryStream(Content),
            new BlobAddition { Metadata = new BlobMetadata { Name = name, ContentType = "text/html" } }, _limit.Token);
        var answer = await RawHttp.AskAsync(served, $"GET /v1/blobs/{added.Hash}", _limit.Token, "Range: bytes=0-0");
        Assert.Equal("text/html", answer.Headers["content-type"]);
        var told = answer.Headers["content-disposition"];
        Assert.All(told, c => Assert.InRange(c, ' ', '~'));
        var parsed = ContentDispositionHeaderValue.Parse(told);
        Assert.Equal("attachment", parsed.DispositionType);
        Assert.Equal(name == "\ud800" ? "\ufffd" : name, parsed.FileNameStar);
        Assert.DoesNotContain("x-evil", answer.Headers.Keys);
    }

    [Theory]
    [InlineData("NAME with a capital")]
    [InlineData("63")]
    [InlineData("65")]
    [InlineData("..%2f..%2fetc%2fpasswd")]
    [InlineData("..%5c..%5cetc%5cpasswd")]
    [InlineData("%2fetc%2fpasswd")]
    [InlineData("%00")]
    [InlineData("NAME%00")]
    [InlineData("NAME%0a")]
    [InlineData("NAME.obao")]
    [InlineData("0x")]
    [InlineData("%D9%A1")]
    [InlineData("%EF%BC%91")]
    [InlineData("/etc/passwd")]
    [InlineData("../../../etc/passwd")]
    [InlineData("..")]
    [InlineData("tmp")]
    public async Task What_is_no_hash_is_refused_wherever_one_is_expected(string text)
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var wrong = text switch
        {
            "NAME with a capital" => Name[..63] + "A",
            "63" => Name[..63],
            "65" => Name + "0",
            "0x" => "0x" + Name[2..],
            "%D9%A1" or "%EF%BC%91" => string.Concat(Enumerable.Repeat(text, 64)),
            _ => Named(text),
        };
        foreach (var path in (string[])["", "/outboard", "/slice?offset=0&length=1"])
        {
            foreach (var method in (string[])["GET", "HEAD"])
            {
                var refused = await RawHttp.AskAsync(served, $"{method} /v1/blobs/{wrong}{path}", _limit.Token);
                Assert.InRange(refused.Status, 400, 405);

                // Kestrel itself refuses a NUL in a path, and without words.
                Assert.True(
                    method == "HEAD" || refused.Code is not null || text.Contains("%00", StringComparison.Ordinal),
                    $"{refused.Status} {wrong}");
            }
        }

        var after = await RawHttp.AskAsync(served, $"GET /v1/blobs?after={wrong}", _limit.Token);
        Assert.Equal((400, "WRONG_HASH"), (after.Status, after.Code));
        using var client = new HttpClient();
        using var asked = await client.PostAsync(
            $"{served.Url}/v1/blobs/have", Json(new { hashes = new[] { Uri.UnescapeDataString(wrong) } }), _limit.Token);
        Assert.Equal(HttpStatusCode.BadRequest, asked.StatusCode);
        Assert.Contains("WRONG_HASH", await asked.Content.ReadAsStringAsync(_limit.Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_here_is_told_in_words()
    {
        await using var served = await Served.StartAsync();
        var absent = Blake3.Hash("absent"u8);
        (string Request, int Status, string Code)[] asked =
        [
            ($"GET /v1/blobs/{absent}", 404, "BLOB_NOT_FOUND"),
            ($"GET /v1/blobs/{absent}/outboard", 404, "BLOB_NOT_FOUND"),
            ($"GET /v1/blobs/{absent}/slice?offset=0&length=1", 404, "BLOB_NOT_FOUND"),
            ($"GET /v1/blobs/{absent}/slice?offset=0", 400, "WRONG_NUMBER"),
            ($"GET /v1/blobs/{absent}/slice?offset=-1&length=1", 400, "WRONG_NUMBER"),
            ($"GET /v1/blobs/{absent}/slice?offset=+1&length=1", 400, "WRONG_NUMBER"),
            ($"GET /v1/blobs/{absent}/slice?offset=0&length=9223372036854775808", 400, "WRONG_NUMBER"),
            ("GET /v1/blobs?limit=0", 400, "WRONG_NUMBER"),
            ("GET /v1/blobs?limit=1001", 400, "WRONG_NUMBER"),
            ("GET /v1/blobs?limit=1e2", 400, "WRONG_NUMBER"),
            ("GET /", 404, "NOT_FOUND"),
            ("GET /v2/blobs", 404, "NOT_FOUND"),
            ("DELETE /v1/blobs", 405, "METHOD_NOT_ALLOWED"),
            ($"PUT /v1/blobs/{absent}", 405, "METHOD_NOT_ALLOWED"),
        ];
        foreach (var (request, status, code) in asked)
        {
            var answer = await RawHttp.AskAsync(served, request, _limit.Token);
            Assert.Equal((status, code, true), (answer.Status, answer.Code, answer.IsWhole));
            Assert.Equal("no-store", answer.Headers["cache-control"]);
        }
    }

    [Fact]
    public async Task A_listing_has_everything_once_in_the_order_of_the_hashes()
    {
        await using var served = await Served.StartAsync();
        var all = new List<string>();
        for (var i = 0; i < 25; i++)
        {
            all.Add((await served.AddAsync(StoreDirectory.Content(100, i))).ToString());
        }

        using var client = new HttpClient();
        var seen = new List<JsonElement>();
        var next = "";
        var pages = 0;
        do
        {
            var text = await client.GetStringAsync($"{served.Url}/v1/blobs?limit=10{next}", _limit.Token);
            var page = JsonDocument.Parse(text).RootElement;
            seen.AddRange(page.GetProperty("blobs").EnumerateArray());
            next = page.GetProperty("next").GetString() is { } hash ? $"&after={hash}" : null;
            pages++;
        }
        while (next is not null);

        Assert.Equal(3, pages);
        Assert.Equal(all.Order(StringComparer.Ordinal), seen.Select(blob => blob.GetProperty("hash").GetString()));
        Assert.All(seen, blob => Assert.Equal(100, blob.GetProperty("size").GetInt64()));
        var whole = JsonDocument.Parse(await client.GetStringAsync($"{served.Url}/v1/blobs", _limit.Token)).RootElement;
        Assert.Equal(25, whole.GetProperty("blobs").GetArrayLength());
    }

    [Fact]
    public async Task Who_asks_what_is_here_is_told_what_is_and_how_large()
    {
        await using var served = await Served.StartAsync();
        await served.AddAsync(Content);
        var empty = await served.AddAsync([]);
        var absent = Blake3.Hash("absent"u8).ToString();
        using var client = new HttpClient();

        using var answer = await client.PostAsync(
            $"{served.Url}/v1/blobs/have", Json(new { hashes = new[] { Name, absent, empty.ToString() } }), _limit.Token);

        Assert.Equal(
            $$"""{"have":[{"hash":"{{Name}}","size":{{Length}}},{"hash":"{{empty}}","size":0}]}""",
            await answer.Content.ReadAsStringAsync(_limit.Token));
        (string Body, int Status, string Code)[] wrong =
        [
            ("", 400, "WRONG_QUESTION"), ("{}", 400, "WRONG_QUESTION"), ("[]", 400, "WRONG_QUESTION"),
            ("null", 400, "WRONG_QUESTION"), ("{\"hashes\":null}", 400, "WRONG_QUESTION"),
            ("{\"hashes\":[],\"more\":1}", 400, "WRONG_QUESTION"), ("{\"hashes\":[],\"hashes\":[]}", 400, "WRONG_QUESTION"),
            ("{\"hashes\":[]", 400, "WRONG_QUESTION"), ("{\"hashes\":[null]}", 400, "WRONG_HASH"),
            (JsonSerializer.Serialize(new { hashes = Enumerable.Repeat(Name, 1001) }), 400, "WRONG_QUESTION"),
            (JsonSerializer.Serialize(new { hashes = Enumerable.Repeat(Name, 5000) }), 413, "TOO_LARGE"),
        ];
        using var text = await client.PostAsync(
            $"{served.Url}/v1/blobs/have", new StringContent("{\"hashes\":[]}"), _limit.Token);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, text.StatusCode);
        Assert.Contains("WRONG_CONTENT_TYPE", await text.Content.ReadAsStringAsync(_limit.Token), StringComparison.Ordinal);
        foreach (var (body, status, code) in wrong)
        {
            var refused = await RawHttp.SendAsync(
                served, $"POST /v1/blobs/have HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}",
                _limit.Token);
            Assert.Equal((status, code), (refused.Status, refused.Code));
        }
    }

    [Theory]
    [InlineData("localhost", 200)]
    [InlineData("127.0.0.1:1234", 200)]
    [InlineData("[::1]", 200)]
    [InlineData("node.example", 200)]
    [InlineData("NODE.example:80", 200)]
    [InlineData("evil.example", 421)]
    [InlineData("node.example.evil.example", 421)]
    [InlineData("localhost.evil.example", 421)]
    public async Task A_server_answers_to_its_own_names_only(string host, int status)
    {
        await using var served = await Served.StartAsync(options => options.HostNames = ["node.example"]);
        var answer = await RawHttp.SendAsync(
            served, $"GET /v1/blobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", _limit.Token);
        Assert.Equal((status, status == 421 ? "WRONG_HOST" : null), (answer.Status, answer.Code));
        var nameless = await RawHttp.SendAsync(served, "GET /v1/blobs HTTP/1.0\r\n\r\n", _limit.Token);
        Assert.Equal((421, "WRONG_HOST"), (nameless.Status, nameless.Code));
    }

    [Fact]
    public async Task More_requests_than_are_answered_at_once_are_told_to_come_again()
    {
        await using var served = await Served.StartAsync(
            options => (options.MaxRequests, options.SendBytesPerSecond) = (1, 1_000_000));
        var hash = await served.AddAsync(StoreDirectory.Content(20_000_000));
        using (var client = await RawHttp.ConnectAsync(served, _limit.Token))
        {
            await client.GetStream().WriteAsync(
                Encoding.ASCII.GetBytes($"GET /v1/blobs/{hash} HTTP/1.1\r\nHost: localhost\r\n\r\n"), _limit.Token);
            await client.GetStream().ReadExactlyAsync(new byte[1], _limit.Token);

            var busy = await RawHttp.AskAsync(served, "GET /v1/blobs", _limit.Token);

            Assert.Equal((503, "BUSY", "1"), (busy.Status, busy.Code, busy.Headers["retry-after"]));
        }

        // The server sees that the first one is gone when it sends on.
        while ((await RawHttp.AskAsync(served, "GET /v1/blobs", _limit.Token)).Status != 200)
        {
            _limit.Token.ThrowIfCancellationRequested();
        }
    }

    private static string Named(string text) => text.Replace("NAME", Name, StringComparison.Ordinal);

    private static string[] Told(RawAnswer answer) =>
        [.. answer.Headers.Where(header => header.Key != "date").Select(header => $"{header.Key}: {header.Value}").Order()];

    private static StringContent Json<T>(T value) => new(JsonSerializer.Serialize(value), Encoding.UTF8, "application/json");
}
