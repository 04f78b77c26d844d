using System.Globalization;
using MeshLedger.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability;

/// <summary>
/// Logs that are counted on their way. Documents that were refused never become events, so they are counted here: every
/// transport logs a refusal as the event <c>NotAccepted</c> with a <c>Code</c>.
/// </summary>
public sealed class CountedLogs : ILoggerFactory
{
    private readonly ILoggerFactory _inner;
    private readonly Counter _lines;
    private readonly Counter _refused;
    private readonly LabelValues _codes = new(64);

    /// <param name="inner">Where the logs go. Not disposed.</param>
    /// <param name="metrics">Where the counters are registered.</param>
    public CountedLogs(ILoggerFactory inner, MetricRegistry metrics)
    {
        _inner = inner;
        _lines = metrics.Counter(
            "meshledger_log_messages_total", "Log messages of level information and above.", "level", "event_id");
        _refused = metrics.Counter(
            "meshledger_documents_refused_total",
            "Documents that a transport brought and that became no job, by the reason's code.", "code");
    }

    /// <summary>The last message of level information and above; null before the first.</summary>
    public string? Latest { get; private set; }

    public ILogger CreateLogger(string categoryName) => new Logger(this, _inner.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => _inner.AddProvider(provider);

    public void Dispose()
    {
    }

    private void Count(LogLevel level, EventId id, object? state)
    {
        _lines.Add(1, level.ToString().ToLowerInvariant(), id.Id.ToString(CultureInfo.InvariantCulture));
        if (id.Name == "NotAccepted")
        {
            var code = (state as IReadOnlyList<KeyValuePair<string, object?>>)?
                .FirstOrDefault(pair => pair.Key is "code" or "Code").Value as string;
            _refused.Add(1, _codes.OfFirst(code));
        }
    }

    private sealed class Logger(CountedLogs counts, ILogger inner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Information)
            {
                counts.Count(logLevel, eventId, state);
                counts.Latest = formatter(state, exception);
            }

            inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
