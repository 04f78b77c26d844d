using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs.Http;

/// <summary>What every request must pass, and what it is told if it comes to nothing.</summary>
internal sealed class RequestGuard(BlobServerOptions options, ILogger log)
{
    private int _requests;

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (!IsOurs(context.Request.Host.Host))
        {
            await BlobApi.RefuseAsync(
                context, StatusCodes.Status421MisdirectedRequest, "WRONG_HOST",
                "Ask for this node by its address, or by a name that it was given.");
            return;
        }

        // What people put into a blob must not run as a page of ours.
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = "sandbox; default-src 'none'";
        try
        {
            if (Interlocked.Increment(ref _requests) > options.MaxRequests)
            {
                headers.RetryAfter = "1";
                await BlobApi.RefuseAsync(
                    context, StatusCodes.Status503ServiceUnavailable, "BUSY",
                    $"{options.MaxRequests} requests are being answered. Come again.");
                return;
            }

            await next(context);
            await TellAsync(context);
        }
        catch (BadHttpRequestException bad) when (!context.Response.HasStarted)
        {
            // Kestrel's word on a body that it reads for us.
            await RefuseAsync(context, bad.StatusCode, bad.StatusCode == 413 ? "TOO_LARGE" : "WRONG_BODY", bad.Message);
        }
        catch (IOException failed) when (!context.RequestAborted.IsCancellationRequested)
        {
            Log.RequestFailed(log, context.Request.Path, failed.Message);
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            await RefuseAsync(
                context, StatusCodes.Status500InternalServerError, "STORE_FAILED",
                "This node's store could not do it.");
        }
        finally
        {
            Interlocked.Decrement(ref _requests);
        }
    }

    /// <summary>Gives a refusal of the router, which has none, words.</summary>
    private static async Task TellAsync(HttpContext context)
    {
        var response = context.Response;
        if (response.HasStarted || response.ContentType is not null || response.StatusCode < 400)
        {
            return;
        }

        await (response.StatusCode switch
        {
            StatusCodes.Status405MethodNotAllowed => BlobApi.RefuseAsync(
                context, response.StatusCode, "METHOD_NOT_ALLOWED", $"Expected one of {response.Headers.Allow}."),
            StatusCodes.Status415UnsupportedMediaType => BlobApi.RefuseAsync(
                context, response.StatusCode, "WRONG_CONTENT_TYPE", "Expected Content-Type: application/json."),
            _ => BlobApi.RefuseAsync(
                context, response.StatusCode, "NOT_FOUND", "There is nothing here; see /openapi/v1.json."),
        });
    }

    /// <summary>Instead of an answer that was begun.</summary>
    private static async Task RefuseAsync(HttpContext context, int status, string code, string detail)
    {
        context.Response.Headers.Clear();
        context.Response.Headers.Connection = "close";
        await BlobApi.RefuseAsync(context, status, code, detail);
    }

    private bool IsOurs(string host) => host is "localhost" || IPAddress.TryParse(host.Trim('[', ']'), out _)
        || options.HostNames.Contains(host, StringComparer.OrdinalIgnoreCase);
}
