using MeshLedger.Crypto;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs.Http;

/// <summary>
/// Sends what was verified, and breaks the connection where this node's own copy turns out to be damaged, so that nobody
/// takes a part for the whole. Kestrel has no sendfile; verified windows go from one buffer to the socket's.
/// </summary>
internal sealed class BlobSender(BlobStore store, SendLimit limit, ILogger log)
{
    public async Task ContentAsync(HttpContext context, BlobStream stream, long offset, long count)
    {
        stream.Position = offset;
        try
        {
            while (count > 0)
            {
                var window = stream.ReadWindow(count);
                if (window.IsEmpty)
                {
                    break;
                }

                await limit.TakeAsync(window.Length, context.RequestAborted);
                await context.Response.Body.WriteAsync(window, context.RequestAborted);
                count -= window.Length;
            }
        }
        catch (IOException gone) when (gone is BlobDamagedException or BlobNotFoundException)
        {
            await BreakOffAsync(context, gone);
        }
    }

    public async Task OutboardAsync(HttpContext context, BlobStream stream)
    {
        var tree = new BaoTree(stream.Length);
        var receiver = new BaoOutboardReceiver(stream.Hash, tree);
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = tree.OutboardBytes;
        context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
        var nodes = stream.Nodes;
        var buffer = new byte[Math.Min(64 * 1024, tree.OutboardBytes)];
        for (var at = 0L; at < tree.OutboardBytes;)
        {
            var count = nodes.Read(at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, tree.OutboardBytes - at)));
            if (count == 0 || !receiver.Accept(buffer.AsSpan(0, count), out _))
            {
                await MendAsync(context, stream.Hash);
                return;
            }

            await limit.TakeAsync(count, context.RequestAborted);
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted);
            at += count;
        }
    }

    public async Task SliceAsync(HttpContext context, BlobStream stream, long offset, long count)
    {
        context.Response.ContentType = "application/octet-stream";
        var buffer = new byte[64 * 1024];
        try
        {
            await using var slice = stream.Encoding.OpenSlice(offset, count);
            int read;
            while ((read = await slice.ReadAtLeastAsync(buffer, buffer.Length, false, context.RequestAborted)) > 0)
            {
                await limit.TakeAsync(read, context.RequestAborted);
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
            }
        }
        catch (BaoException)
        {
            await MendAsync(context, stream.Hash);
        }
    }

    /// <summary>Reading all of the blob makes its outboard anew, or puts it into quarantine.</summary>
    private async Task MendAsync(HttpContext context, BlobHash hash)
    {
        try
        {
            await store.VerifyAsync(hash, progress: null, context.RequestAborted);
            context.Abort();
        }
        catch (IOException gone) when (gone is BlobDamagedException or BlobNotFoundException)
        {
            await BreakOffAsync(context, gone);
        }
    }

    /// <param name="gone">It is damaged, or another reader who found that was faster.</param>
    private async Task BreakOffAsync(HttpContext context, IOException gone)
    {
        Log.Damaged(log, gone.Message);
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        context.Response.Headers.Clear();
        var code = gone is BlobDamagedException ? "BLOB_DAMAGED" : "BLOB_NOT_FOUND";
        await BlobApi.RefuseAsync(context, StatusCodes.Status404NotFound, code, gone.Message);
    }
}
