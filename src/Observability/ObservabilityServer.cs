using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Observability.Health;
using MeshLedger.Observability.Metrics;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace MeshLedger.Observability;

/// <summary>
/// <c>/metrics</c>, <c>/health/live</c> and <c>/health/ready</c> on 127.0.0.1. Only a request that names a loopback
/// host is answered, so no page in a browser reads it under a name of its own.
/// </summary>
public sealed class ObservabilityServer : IAsyncDisposable
{
    private const string MetricsType = "text/plain; version=0.0.4; charset=utf-8";

    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly KestrelServer _server;

    private ObservabilityServer(KestrelServer server, string url)
    {
        _server = server;
        Url = url;
    }

    /// <summary>Such as <c>http://127.0.0.1:9464</c>.</summary>
    public string Url { get; }

    /// <param name="port">0: any that is free.</param>
    /// <param name="metrics">What <c>/metrics</c> shows.</param>
    /// <param name="checks">What <c>/health/ready</c> asks.</param>
    /// <param name="log">Gets the address.</param>
    /// <param name="cancellationToken">Breaks off the start.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<ObservabilityServer> StartAsync(
        int port, MetricRegistry metrics, HealthChecks checks, ILogger log, CancellationToken cancellationToken)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = 64;
        options.Limits.MaxRequestBodySize = 0;
        options.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        var transport = new SocketTransportFactory(
            Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
        var server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(new Application(metrics, checks), cancellationToken);
        }
        catch
        {
            server.Dispose();
            throw;
        }

        var url = server.Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        Log.Listening(log, url);
        return new ObservabilityServer(server, url);
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever still asks is not waited for.
        await _server.StopAsync(new CancellationToken(canceled: true));
        _server.Dispose();
    }

    private sealed class Application(MetricRegistry metrics, HealthChecks checks) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }

        public async Task ProcessRequestAsync(HttpContext context)
        {
            var (status, type, text) = await AnswerAsync(context);
            context.Response.StatusCode = status;
            context.Response.ContentType = type;
            context.Response.Headers.CacheControl = "no-store";
            var bytes = System.Text.Encoding.UTF8.GetBytes(text);
            context.Response.ContentLength = bytes.Length;
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
            }
        }

        private async Task<(int Status, string Type, string Text)> AnswerAsync(HttpContext context)
        {
            if (context.Request.Host.Host is not ("127.0.0.1" or "localhost"))
            {
                return (StatusCodes.Status421MisdirectedRequest, "text/plain", "Ask for 127.0.0.1 or localhost.\n");
            }

            if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
            {
                context.Response.Headers.Allow = "GET, HEAD";
                return (StatusCodes.Status405MethodNotAllowed, "text/plain", "Only GET and HEAD are answered.\n");
            }

            return context.Request.Path.Value switch
            {
                "/metrics" => (StatusCodes.Status200OK, MetricsType, await metrics.WriteAsync(context.RequestAborted)),
                "/health/live" => (StatusCodes.Status200OK, "application/json", "{\"status\":\"live\"}\n"),
                "/health/ready" => Ready(await checks.RunAsync(context.RequestAborted)),
                _ => (StatusCodes.Status404NotFound, "text/plain", "There is /metrics, /health/live, /health/ready.\n"),
            };
        }

        private static (int Status, string Type, string Text) Ready(IReadOnlyList<HealthFinding> findings)
        {
            var ready = findings.All(finding => finding.IsFine);
            var list = new JsonArray();
            foreach (var finding in findings.OrderBy(finding => finding.IsFine))
            {
                list.Add(new JsonObject
                {
                    ["name"] = finding.Name,
                    ["status"] = finding.IsFine ? "ok" : "failing",
                    ["message"] = finding.Message,
                    ["what_to_do"] = finding.WhatToDo,
                });
            }

            var answer = new JsonObject { ["status"] = ready ? "ready" : "not_ready", ["checks"] = list };
            return (
                ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, "application/json",
                answer.ToJsonString(Readable) + "\n");
        }
    }
}
