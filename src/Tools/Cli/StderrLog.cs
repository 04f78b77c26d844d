using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools.Cli;

/// <summary>
/// Structured logs on standard error, a line each: <c>TIME LEVEL EVENT_ID CATEGORY: message</c>, or, when the output
/// is JSON, an object with the same members and the message's values under <c>fields</c>: numbers and booleans as
/// such, all
/// else as text.
/// </summary>
internal sealed class StderrLog(bool json, LogLevel least, TimeProvider clock) : ILoggerFactory
{
    private readonly Lock _lock = new();

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    private void Write(
        LogLevel level, EventId id, string category, string message, Exception? exception, object? state)
    {
        var time = clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var name = level.ToString().ToLowerInvariant();
        if (exception is not null)
        {
            message = $"{message}: {exception.Message}";
        }

        var line = json
            ? new JsonObject
            {
                ["time"] = time,
                ["level"] = name,
                ["event_id"] = id.Id,
                ["category"] = category,
                ["message"] = message,
                ["fields"] = Fields(state),
            }.ToJsonString()
            : SafeText.Line($"{time} {name} {id.Id} {category}: {message}");
        lock (_lock)
        {
            Console.Error.WriteLine(line);
        }
    }

    private static JsonObject Fields(object? state)
    {
        var fields = new JsonObject();
        foreach (var (name, value) in state as IReadOnlyList<KeyValuePair<string, object?>> ?? [])
        {
            if (name != "{OriginalFormat}")
            {
                fields[JsonNamingPolicy.SnakeCaseLower.ConvertName(name)] = value switch
                {
                    null => null,
                    bool flag => flag,
                    int number => number,
                    long number => number,
                    double number when double.IsFinite(number) => number,
                    _ => Convert.ToString(value, CultureInfo.InvariantCulture),
                };
            }
        }

        return fields;
    }

    private sealed class Logger(StderrLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= log.Least;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Write(logLevel, eventId, category, formatter(state, exception), exception, state);
            }
        }
    }

    private LogLevel Least => least;
}
