using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using MeshLedger.Crypto;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;

namespace MeshLedger.Blobs.Http;

/// <summary>The routes, and what each answers.</summary>
internal sealed class BlobApi(BlobStore store, BlobServerOptions options, TimeProvider clock, ILogger log)
{
    public const string Path = "/v1/blobs";

    private const string Octets = "application/octet-stream";
    private const string Problem = "application/problem+json";
    private const int MaxUnwanted = 4 << 20;

    private readonly BlobSender _sender = new(store, new SendLimit(options.SendBytesPerSecond, clock), log);

    public void Map(IEndpointRouteBuilder routes)
    {
        Describe(routes.MapGet(Path + "/{hash}", (Delegate)GetAsync), "GetBlob",
            "A blob's bytes, or with Range one range of them. Verified against the name on the way out; a connection that "
            + "breaks before the end means that this node's copy was found damaged.")
            .Produces(200).Produces(206).Produces(304)
            .Produces<BlobProblem>(404, Problem).Produces<BlobProblem>(416, Problem);
        Describe(routes.MapMethods(Path + "/{hash}", ["HEAD"], (Delegate)GetAsync), "HeadBlob",
            "As GET, without the bytes.")
            .Produces(200).Produces(206).Produces(304)
            .Produces<BlobProblem>(404, Problem).Produces<BlobProblem>(416, Problem);
        Describe(routes.MapGet(Path + "/{hash}/outboard", (Delegate)OutboardAsync), "GetOutboard",
            "The blob's Bao outboard with groups of 16 KiB: its length (8 bytes, little-endian), then the parents of 64 "
            + "bytes in pre-order. With it, any range can be verified as it comes.")
            .Produces(200).Produces<BlobProblem>(404, Problem);
        Describe(routes.MapGet(Path + "/{hash}/slice", (Delegate)SliceAsync), "GetSlice",
            "The Bao slice (chunks of 1 KiB, as the bao specification has it) of length bytes from offset on.")
            .Produces(200).Produces<BlobProblem>(404, Problem);
        Describe(routes.MapGet(Path, (Delegate)ListAsync), "ListBlobs",
            "The blobs that are here, in the order of their hashes, up to 1000 at once.")
            .Produces<BlobListing>();
        Describe(routes.MapPost(Path + "/have", (Delegate)HaveAsync), "HaveBlobs",
            "Which of up to 1000 hashes are here.")
            .Accepts<HaveQuestion>("application/json").Produces<HaveAnswer>()
            .Produces<BlobProblem>(413, Problem).Produces<BlobProblem>(415, Problem);
        Describe(routes.MapPut(Path, (Delegate)PutAsync), "PutBlob",
            "Adds a blob. The request is signed (RFC 9421, Ed25519, keyid a did:key) over @method, @path and the header "
            + "Blob-Hash, which names the content. Its Content-Type, if it is not application/octet-stream, is kept.")
            .Accepts<Stream>("*/*").Produces<AddedAnswer>(201).Produces<AddedAnswer>().Produces<BlobProblem>(401, Problem)
            .Produces<BlobProblem>(403, Problem).Produces<BlobProblem>(413, Problem).Produces<BlobProblem>(422, Problem)
            .Produces<BlobProblem>(507, Problem);
    }

    private static RouteHandlerBuilder Describe(RouteHandlerBuilder route, string name, string description) => route
        .WithName(name).WithDescription(description).WithTags("blobs").Produces<BlobProblem>(400, Problem);

    private async Task GetAsync(HttpContext context, string hash)
    {
        if (await OpenAsync(context, hash) is not { } found)
        {
            return;
        }

        await using var stream = found;
        var metadata = store.Find(stream.Hash)?.Metadata ?? BlobMetadata.None;
        var tag = new EntityTagHeaderValue($"\"{stream.Hash}\"");
        var response = context.Response;
        var headers = response.GetTypedHeaders();
        headers.ETag = tag;
        response.Headers.AcceptRanges = "bytes";

        // A name's content never changes.
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        var asked = context.Request.GetTypedHeaders();
        if (asked.IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false) || known.Tag == "*"))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        var (offset, count) = (0L, stream.Length);
        if (asked.Range is { Unit.Value: "bytes", Ranges.Count: 1 } range
            && (context.Request.Headers.IfRange.Count == 0
                || asked.IfRange?.EntityTag?.Compare(tag, useStrongComparison: true) == true))
        {
            if (Resolve(range.Ranges.First(), stream.Length) is not { } resolved)
            {
                headers.ContentRange = new ContentRangeHeaderValue(stream.Length);
                await RefuseAsync(
                    context, StatusCodes.Status416RangeNotSatisfiable, "RANGE_NOT_SATISFIABLE",
                    $"The blob has {stream.Length} bytes.");
                return;
            }

            (offset, count) = resolved;
            headers.ContentRange = new ContentRangeHeaderValue(offset, offset + count - 1, stream.Length);
            response.StatusCode = StatusCodes.Status206PartialContent;
        }

        response.ContentType = metadata.ContentType ?? Octets;
        response.ContentLength = count;
        if (metadata.Name is { } name)
        {
            var disposition = new ContentDispositionHeaderValue("attachment");
            disposition.SetHttpFileName(name);
            response.Headers.ContentDisposition = disposition.ToString();
        }

        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await _sender.ContentAsync(context, stream, offset, count);
        }
    }

    private async Task OutboardAsync(HttpContext context, string hash)
    {
        if (await OpenAsync(context, hash) is { } stream)
        {
            await using (stream)
            {
                await _sender.OutboardAsync(context, stream);
            }
        }
    }

    private async Task SliceAsync(HttpContext context, string hash, string? offset, string? length)
    {
        if (!TryNumber(offset, out var from) || !TryNumber(length, out var count))
        {
            await RefuseAsync(
                context, StatusCodes.Status400BadRequest, "WRONG_NUMBER",
                "Expected offset and length, numbers of bytes from 0 to 9223372036854775807.");
            return;
        }

        if (await OpenAsync(context, hash) is { } stream)
        {
            await using (stream)
            {
                await _sender.SliceAsync(context, stream, from, count);
            }
        }
    }

    private async Task ListAsync(HttpContext context, string? after, string? limit)
    {
        BlobHash last = default;
        if (after is not null && !BlobHash.TryParse(after, out last))
        {
            await RefuseHashAsync(context);
            return;
        }

        if (!TryNumber(limit ?? "100", out var most) || most is < 1 or > BlobStore.MaxPage)
        {
            await RefuseAsync(
                context, StatusCodes.Status400BadRequest, "WRONG_NUMBER", $"Expected limit to be 1 to {BlobStore.MaxPage}.");
            return;
        }

        var page = store.List(after is null ? null : last, (int)most, BlobState.Complete);
        await WriteAsync(
            context, StatusCodes.Status200OK,
            new BlobListing(
                [.. page.Blobs.Select(blob => new BlobEntry(
                    blob.Hash.ToString(), blob.Size, blob.Metadata.Name, blob.Metadata.ContentType))],
                page.Next?.ToString()),
            BlobJson.Default.BlobListing);
    }

    private async Task HaveAsync(HttpContext context)
    {
        HaveQuestion? question = null;
        try
        {
            question = await JsonSerializer.DeserializeAsync(
                context.Request.Body, BlobJson.Default.HaveQuestion, context.RequestAborted);
        }
        catch (JsonException)
        {
            // Told below.
        }

        if (question is null || question.Hashes.Count > BlobStore.MaxPage)
        {
            await RefuseAsync(
                context, StatusCodes.Status400BadRequest, "WRONG_QUESTION",
                $"Expected {{\"hashes\": [...]}} with at most {BlobStore.MaxPage} of them.");
            return;
        }

        var held = new List<HeldBlob>();
        foreach (var text in question.Hashes)
        {
            if (!BlobHash.TryParse(text, out var hash))
            {
                await RefuseHashAsync(context);
                return;
            }

            if (store.SizeOf(hash) is { } size)
            {
                held.Add(new HeldBlob(text, size));
            }
        }

        await WriteAsync(context, StatusCodes.Status200OK, new HaveAnswer(held), BlobJson.Default.HaveAnswer);
    }

    private async Task PutAsync(HttpContext context)
    {
        var request = context.Request;
        if (!BlobHash.TryParse(request.Headers[MessageSignature.BlobHashHeader].ToString(), out var hash))
        {
            await RefuseHashAsync(context);
            return;
        }

        var (signer, fault) = MessageSignature.Verify(
            request.Headers["Signature-Input"], request.Headers["Signature"], name => Component(request, name),
            MessageSignature.Required, clock.GetUtcNow());
        if (signer is not { } who || !options.MayAdd(who))
        {
            context.Response.Headers.Connection = "close";
            await (fault is not null
                ? RefuseAsync(context, StatusCodes.Status401Unauthorized, "NOT_SIGNED", fault)
                : RefuseAsync(context, StatusCodes.Status403Forbidden, "NOT_ALLOWED", $"{signer} may not add blobs here."));
            return;
        }

        if (request.ContentLength > store.Options.MaxBlobBytes)
        {
            // Before the client is told to send it.
            context.Response.Headers.Connection = "close";
            await RefuseAsync(
                context, StatusCodes.Status413PayloadTooLarge, "BLOB_TOO_LARGE",
                new BlobTooLargeException(store.Options.MaxBlobBytes).Message);
            return;
        }

        // The store's own limits cut it off.
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = null;
        try
        {
            var type = request.ContentType is { } given && given != Octets ? given.Split(';')[0].Trim() : null;
            var metadata = new BlobMetadata { ContentType = type };
            var added = await store.AddAsync(
                request.Body,
                new BlobAddition
                {
                    Hash = hash,
                    Size = request.ContentLength,
                    Metadata = metadata.Fault() is null ? metadata : BlobMetadata.None,
                },
                context.RequestAborted);
            Log.Added(log, who.ToString(), hash.ToString(), added.Size);
            context.Response.Headers.Location = $"{Path}/{hash}";
            await WriteAsync(
                context, added.WasNew ? StatusCodes.Status201Created : StatusCodes.Status200OK,
                new AddedAnswer(hash.ToString(), added.Size, added.WasNew), BlobJson.Default.AddedAnswer);
        }
        catch (Exception exception) when (Refusal(exception) is { } refusal)
        {
            context.Response.Headers.Connection = "close";
            await RefuseAsync(context, refusal.Status, refusal.Code, exception.Message);
            await BreakOffAsync(context);
        }
    }

    /// <summary>Reads a little on, so that a client that still sends gets to see the answer. Kestrel by itself would
    /// read for five seconds, whatever comes.</summary>
    private async Task BreakOffAsync(HttpContext context)
    {
        await context.Response.CompleteAsync();
        var buffer = new byte[64 * 1024];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.RequestAborted);
        try
        {
            for (var read = 0; read < MaxUnwanted;)
            {
                var count = await context.Request.Body.ReadAsync(buffer, either.Token);
                if (count == 0)
                {
                    return;
                }

                read += count;
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // The client has no more to say, or says it too slowly.
        }

        context.Abort();
    }

    private static (int Status, string Code)? Refusal(Exception exception) => exception switch
    {
        BlobTooLargeException => (StatusCodes.Status413PayloadTooLarge, "BLOB_TOO_LARGE"),
        BlobMismatchException => (StatusCodes.Status422UnprocessableEntity, "WRONG_CONTENT"),
        BlobQuotaException => (StatusCodes.Status507InsufficientStorage, "STORE_FULL"),
        BadHttpRequestException => (StatusCodes.Status400BadRequest, "WRONG_BODY"),
        _ => null,
    };

    private static string? Component(HttpRequest request, string name) => name switch
    {
        "@method" => request.Method,
        "@path" => request.Path.ToUriComponent(),
        "@authority" => request.Host.ToString().ToLowerInvariant(),
        "@query" => request.QueryString.HasValue ? request.QueryString.Value : "?",
        _ when name.StartsWith('@') => null,
        _ => request.Headers.TryGetValue(name, out var values) ? string.Join(", ", values.Select(value => value?.Trim())) : null,
    };

    /// <summary>Null if it was answered that there is no such blob.</summary>
    private async Task<BlobStream?> OpenAsync(HttpContext context, string text)
    {
        if (!BlobHash.TryParse(text, out var hash))
        {
            await RefuseHashAsync(context);
            return null;
        }

        try
        {
            return store.OpenRead(hash);
        }
        catch (BlobNotFoundException absent)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "BLOB_NOT_FOUND", absent.Message);
        }
        catch (BlobDamagedException damaged)
        {
            Log.Damaged(log, damaged.Message);
            await RefuseAsync(context, StatusCodes.Status404NotFound, "BLOB_DAMAGED", damaged.Message);
        }

        return null;
    }

    private static (long Offset, long Count)? Resolve(RangeItemHeaderValue range, long length)
    {
        var from = range.From ?? Math.Max(0, length - range.To!.Value);
        var to = range.From is null ? length - 1 : Math.Min(range.To ?? length - 1, length - 1);
        return from <= to ? (from, to - from + 1) : null;
    }

    private static bool TryNumber(string? text, out long number) => long.TryParse(
        text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number);

    private static Task RefuseHashAsync(HttpContext context) => RefuseAsync(
        context, StatusCodes.Status400BadRequest, "WRONG_HASH", "Expected a hash of 64 lowercase hexadecimal characters.");

    public static Task RefuseAsync(HttpContext context, int status, string code, string detail)
    {
        context.Response.ContentType = Problem;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentLength = null;
        var title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
        return WriteAsync(context, status, new BlobProblem(title, status, code, detail), BlobJson.Default.BlobProblem);
    }

    private static async Task WriteAsync<T>(HttpContext context, int status, T answer, JsonTypeInfo<T> type)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType ??= "application/json";
        var bytes = JsonSerializer.SerializeToUtf8Bytes(answer, type);
        response.ContentLength = bytes.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await response.Body.WriteAsync(bytes, context.RequestAborted);
        }
    }
}
