using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace MeshLedger.Observability.Tests;

/// <summary>A span as it came over the wire.</summary>
internal sealed record WireSpan(
    string TraceId, string SpanId, string ParentId, string Name, ulong Start, ulong End, int Status,
    IReadOnlyDictionary<string, string> Attributes, IReadOnlyList<string> Events);

/// <summary>Takes OTLP over HTTP, and reads the protobuf messages of opentelemetry-proto
/// (trace/v1/trace.proto).</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly ConcurrentQueue<WireSpan> _spans = new();

    private OtlpCollector(WebApplication server)
    {
        _server = server;
    }

    public string Url => _server.Services.GetRequiredService<IServer>().Features
        .Get<IServerAddressesFeature>()!.Addresses.Single();

    public WireSpan[] Spans => [.. _spans];

    public ConcurrentBag<string> Requests { get; } = [];

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        var collector = new OtlpCollector(builder.Build());
        collector._server.Run(collector.TakeAsync);
        await collector._server.StartAsync();
        return collector;
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        Requests.Add($"{context.Request.Method} {context.Request.Path} {context.Request.ContentType}");
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        foreach (var resource in Fields(body.ToArray(), 1))
        {
            foreach (var span in Fields(resource, 2).SelectMany(scope => Fields(scope, 2)))
            {
                _spans.Enqueue(ReadSpan(span));
            }
        }

        // An empty ExportTraceServiceResponse.
        context.Response.ContentType = "application/x-protobuf";
    }

    private static WireSpan ReadSpan(byte[] span) => new(
        Hex(span, 1), Hex(span, 2), Hex(span, 4), Text(span, 5), Number(span, 7), Number(span, 8),
        (int)Fields(span, 15).Select(status => Number(status, 3)).FirstOrDefault(),
        Fields(span, 9).ToDictionary(pair => Text(pair, 1), pair => Value(Fields(pair, 2).Single())),
        [.. Fields(span, 11).Select(item => Text(item, 2))]);

    private static string Value(byte[] any) => Read(any).Single() switch
    {
        (1, byte[] text) => Encoding.UTF8.GetString(text),
        (_, ulong number) => number.ToString(CultureInfo.InvariantCulture),
        var other => other.ToString(),
    };

    private static string Hex(
        byte[] message, int field) => Convert.ToHexStringLower(Fields(message, field).FirstOrDefault() ?? []);

    private static string Text(
        byte[] message, int field) => Encoding.UTF8.GetString(Fields(message, field).FirstOrDefault() ?? []);

    private static ulong Number(byte[] message, int field) =>
        Read(message).Where(item => item.Field == field).Select(item => (ulong)item.Value).FirstOrDefault();

    private static IEnumerable<byte[]> Fields(byte[] message, int field) =>
        Read(message).Where(item => item.Field == field).Select(item => (byte[])item.Value);

    private static IEnumerable<(int Field, object Value)> Read(byte[] message)
    {
        var at = 0;
        while (at < message.Length)
        {
            var tag = Varint(message, ref at);
            object value;
            switch (tag & 7)
            {
                case 0:
                    value = Varint(message, ref at);
                    break;
                case 1:
                    value = BitConverter.ToUInt64(message, at);
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    value = message[at..(at + length)];
                    at += length;
                    break;
                case 5:
                    value = (ulong)BitConverter.ToUInt32(message, at);
                    at += 4;
                    break;
                default:
                    throw new FormatException($"Protobuf wire type {tag & 7} at {at}.");
            }

            yield return ((int)(tag >> 3), value);
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }
}
