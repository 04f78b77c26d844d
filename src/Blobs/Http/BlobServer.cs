using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs.Http;

/// <summary>Serves a store over HTTP/1.1, as <c>/openapi/v1.json</c> describes. Whoever reaches it may read; who may add
/// is told by signature.</summary>
public sealed class BlobServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private BlobServer(WebApplication application, string url)
    {
        _application = application;
        Url = url;
    }

    /// <summary>Such as <c>http://127.0.0.1:7400</c>.</summary>
    public string Url { get; }

    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public static async Task<BlobServer> StartAsync(
        BlobStore store, BlobServerOptions options, TimeProvider clock, ILogger log, CancellationToken cancellationToken)
    {
        // Nothing from the environment or the working directory: what is served is told here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "meshledger" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 4 * options.MaxRequests;
            kestrel.Limits.MaxRequestBodySize = 256 * 1024;
            kestrel.Listen(options.Listen, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRouting();
        builder.Services.AddOpenApi(openApi => openApi.AddDocumentTransformer(BlobOpenApi.CompleteAsync));
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, BlobJson.Default);
            json.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
        });
        var application = builder.Build();
        var guard = new RequestGuard(options, log);
        application.Use(guard.InvokeAsync);
        application.UseRouting();
        new BlobApi(store, options, clock, log).Map(application);
        options.Routes?.Invoke(application);
        application.MapOpenApi("/openapi/v1.json");
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }

        var url = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!
            .Addresses.Single();
        Log.Listening(log, url);
        return new BlobServer(application, url);
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever still reads is not waited for: he resumes elsewhere.
        await _application.StopAsync(new CancellationToken(canceled: true));
        await _application.DisposeAsync();
    }
}
