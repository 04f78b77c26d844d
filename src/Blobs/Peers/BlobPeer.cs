using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using MeshLedger.Blobs.Http;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Peers;

/// <summary>What went wrong with a peer. A lie is not forgiven; a failure may pass.</summary>
internal sealed class PeerException(string message, bool isLie, bool isLasting = false) : Exception(message)
{
    public bool IsLie { get; } = isLie;

    /// <summary>No use to try again, though it is no lie.</summary>
    public bool IsLasting { get; } = isLasting;
}

/// <summary>Another node's blobs, over HTTP. Nothing that it says is believed before it is verified.</summary>
internal sealed class BlobPeer(Uri url, HttpClient http)
{
    private const int MaxAnswerBytes = 1 << 20;

    public string Name { get; } = url.ToString().TrimEnd('/');

    /// <summary>The size of a blob that this peer says it holds; null if it does not.</summary>
    public async Task<long?> HasAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        var held = await HaveAsync([hash], cancellationToken);
        return held.TryGetValue(hash, out var size) ? size : null;
    }

    /// <summary>Which of these it says it holds, and their sizes.</summary>
    public async Task<IReadOnlyDictionary<BlobHash, long>> HaveAsync(
        IReadOnlyList<BlobHash> hashes, CancellationToken cancellationToken)
    {
        var question = new HaveQuestion([.. hashes.Select(hash => hash.ToString())]);
        using var request = new HttpRequestMessage(HttpMethod.Post, Address("/have"))
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(question, BlobJson.Default.HaveQuestion))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        using var response = await SendAsync(request, cancellationToken);
        await RequireAsync(response, HttpStatusCode.OK, cancellationToken);
        try
        {
            var bytes = await ReadSmallAsync(response, cancellationToken);
            var answer = JsonSerializer.Deserialize(bytes, BlobJson.Default.HaveAnswer);
            var held = new Dictionary<BlobHash, long>();
            foreach (var one in answer?.Have ?? [])
            {
                if (!BlobHash.TryParse(one.Hash, out var hash) || one.Size < 0)
                {
                    throw new PeerException("it answered with what is no blob", isLie: true);
                }

                held[hash] = one.Size;
            }

            return held;
        }
        catch (JsonException)
        {
            throw new PeerException("its answer is not what was expected of /v1/blobs/have", isLie: false, isLasting: true);
        }
    }

    public Task<PeerBody> OpenOutboardAsync(BlobHash hash, CancellationToken cancellationToken) =>
        OpenAsync(new HttpRequestMessage(HttpMethod.Get, Address($"/{hash}/outboard")), HttpStatusCode.OK, cancellationToken);

    public Task<PeerBody> OpenWholeAsync(BlobHash hash, CancellationToken cancellationToken) =>
        OpenAsync(new HttpRequestMessage(HttpMethod.Get, Address($"/{hash}")), HttpStatusCode.OK, cancellationToken);

    /// <summary>The bytes of a range of a blob of <paramref name="size"/> bytes.</summary>
    public async Task<PeerBody> OpenRangeAsync(
        BlobHash hash, long offset, long count, long size, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Address($"/{hash}"));
        request.Headers.Range = new RangeHeaderValue(offset, offset + count - 1);
        var body = await OpenAsync(request, HttpStatusCode.PartialContent, cancellationToken);
        var range = body.ContentRange;
        if (range is null || range.From != offset || range.To != offset + count - 1 || range.Length != size)
        {
            body.Dispose();
            throw new PeerException(
                $"asked for bytes {offset} to {offset + count - 1} of {size}, it answered with {range?.ToString() ?? "no range"}",
                isLie: true);
        }

        return body;
    }

    /// <summary>Gives the peer a blob.</summary>
    public async Task<AddedAnswer> PutAsync(
        BlobHash hash, Stream content, string? contentType, SigningKey key, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var address = Address("");
        using var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new StreamContent(content, 256 * 1024) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType ?? "application/octet-stream");
        var (input, signature) = MessageSignature.Sign(key, address.AbsolutePath, hash, now);
        request.Headers.TryAddWithoutValidation(MessageSignature.BlobHashHeader, hash.ToString());
        request.Headers.TryAddWithoutValidation("Signature-Input", input);
        request.Headers.TryAddWithoutValidation("Signature", signature);
        request.Headers.ExpectContinue = true;
        using var response = await SendAsync(request, cancellationToken);
        if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Created))
        {
            throw await RefusedAsync(response, cancellationToken);
        }

        return JsonSerializer.Deserialize(await ReadSmallAsync(response, cancellationToken), BlobJson.Default.AddedAnswer)!;
    }

    private Uri Address(string path) => new(url, $"{url.AbsolutePath.TrimEnd('/')}{BlobApi.Path}{path}");

    private async Task<PeerBody> OpenAsync(HttpRequestMessage request, HttpStatusCode status, CancellationToken cancellationToken)
    {
        using (request)
        {
            var response = await SendAsync(request, cancellationToken);
            try
            {
                await RequireAsync(response, status, cancellationToken);
                return new PeerBody(response, await response.Content.ReadAsStreamAsync(cancellationToken));
            }
            catch
            {
                response.Dispose();
                throw;
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException exception)
        {
            throw new PeerException((exception.InnerException ?? exception).Message, isLie: false);
        }
    }

    private static async Task RequireAsync(
        HttpResponseMessage response, HttpStatusCode status, CancellationToken cancellationToken)
    {
        if (response.StatusCode != status)
        {
            throw await RefusedAsync(response, cancellationToken);
        }
    }

    private static async Task<PeerException> RefusedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        string? detail = null;
        try
        {
            var bytes = await ReadSmallAsync(response, cancellationToken);
            detail = JsonSerializer.Deserialize(bytes, BlobJson.Default.BlobProblem)?.Detail;
        }
        catch (Exception exception) when (exception is JsonException or PeerException)
        {
            // It is only to tell more.
        }

        var text = detail is null ? "" : ": " + string.Concat(detail.Where(c => !char.IsControl(c)).Take(300));
        return new PeerException(
            $"it answered {(int)response.StatusCode}{text}", isLie: false, isLasting: (int)response.StatusCode is >= 400 and < 500);
    }

    private static async Task<byte[]> ReadSmallAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var bytes = new byte[MaxAnswerBytes];
            var count = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
            return count == bytes.Length ? throw new PeerException("its answer has no end", isLie: true) : bytes[..count];
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new PeerException(exception.Message, isLie: false);
        }
    }
}

/// <summary>What a peer sends, read with a limit for how long each piece may take.</summary>
internal sealed class PeerBody(HttpResponseMessage response, Stream stream) : IDisposable
{
    public ContentRangeHeaderValue? ContentRange => response.Content.Headers.ContentRange;

    public long? Length => response.Content.Headers.ContentLength;

    /// <summary>
    /// Fills the buffer, piece by piece, each in its time. Returns how much came before the end, or in whole pieces before
    /// the connection broke or the peer fell silent.
    /// </summary>
    public async Task<(int Count, bool IsStalled)> ReadAsync(
        Memory<byte> buffer, int piece, TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        var count = 0;
        while (count < buffer.Length)
        {
            using var limit = new CancellationTokenSource(patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            var wanted = buffer.Slice(count, Math.Min(piece, buffer.Length - count));
            try
            {
                // More than a piece may be there already, and is taken with it.
                var read = await stream.ReadAtLeastAsync(buffer[count..], wanted.Length, throwOnEndOfStream: false, either.Token);
                count += read;
                if (read < wanted.Length)
                {
                    return (count, false);
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return (count, true);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                // The connection broke: as if the peer had ended.
                return (count, false);
            }
        }

        return (count, false);
    }

    /// <summary>True if nothing follows.</summary>
    public async Task<bool> EndsAsync(TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (count, isStalled) = await ReadAsync(new byte[1], 1, patience, clock, cancellationToken);
        return count == 0 && !isStalled;
    }

    public void Dispose()
    {
        stream.Dispose();
        response.Dispose();
    }
}
