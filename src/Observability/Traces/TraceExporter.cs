using System.Diagnostics.Tracing;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace MeshLedger.Observability.Traces;

/// <summary>Where traces go.</summary>
/// <param name="Endpoint">The collector, such as <c>http://127.0.0.1:4318</c>; null: what OTEL_EXPORTER_OTLP_ENDPOINT
/// and
/// the other standard variables say.</param>
public sealed record TraceOptions(Uri? Endpoint)
{
    private static readonly string[] Variables = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    /// <summary>What was asked for: by option, else by the environment; null if by neither.</summary>
    public static TraceOptions? Choose(Uri? given) =>
        given is not null || Variables.Any(name => Environment.GetEnvironmentVariable(name) is { Length: > 0 })
            ? new TraceOptions(given)
            : null;

    /// <summary>For people.</summary>
    public override string ToString() => Endpoint?.ToString()
        ?? Variables.Select(Environment.GetEnvironmentVariable).First(value => value is { Length: > 0 })!;
}

/// <summary>Sends spans to a collector over OTLP, in batches and in the background, until disposed. A collector that
/// does not answer costs the spans, nothing else.</summary>
internal sealed class TraceExporter : IDisposable
{
    private const int ShutdownMilliseconds = 2000;

    private readonly TracerProvider _provider;
    private readonly FailureListener _failures;

    private TraceExporter(TracerProvider provider, FailureListener failures)
    {
        _provider = provider;
        _failures = failures;
    }

    public static TraceExporter Start(TraceOptions options, Did node, ILogger log)
    {
        var provider = Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => resource
                .AddService("meshledger", serviceInstanceId: node.ToString())
                .AddEnvironmentVariableDetector())
            .AddSource(JobTracer.SourceName)
            .AddOtlpExporter(exporter => Configure(exporter, options))
            .Build();
        Log.Exporting(log, options.ToString());
        return new TraceExporter(provider, new FailureListener(log));
    }

    public void Dispose()
    {
        _provider.Shutdown(ShutdownMilliseconds);
        _provider.Dispose();
        _failures.Dispose();
    }

    private static void Configure(OtlpExporterOptions exporter, TraceOptions options)
    {
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL") is not { Length: > 0 }
            && Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") is not { Length: > 0 })
        {
            exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        }

        if (options.Endpoint is { } endpoint)
        {
            // An endpoint that is set here is taken as it is, one of the environment gets the signal's path.
            var isBare = endpoint.AbsolutePath == "/" && exporter.Protocol == OtlpExportProtocol.HttpProtobuf;
            exporter.Endpoint = isBare ? new Uri(endpoint, "/v1/traces") : endpoint;
        }
    }

    /// <summary>Says that spans do not arrive: the first time, and then each hundredth.</summary>
    private sealed class FailureListener(ILogger log) : EventListener
    {
        private int _count;

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name.StartsWith("OpenTelemetry-Exporter", StringComparison.Ordinal))
            {
                EnableEvents(eventSource, EventLevel.Error);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (Interlocked.Increment(ref _count) % 100 == 1)
            {
                Log.ExportFailed(log, $"{eventData.EventName}: {string.Join("; ", eventData.Payload ?? new([]))}");
            }
        }
    }
}
