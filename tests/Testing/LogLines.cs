using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Testing;

/// <summary>What was logged, by event id; whoever waits for a line is told of it.</summary>
public sealed class LogLines<T> : ILogger<T>
{
    private readonly ConcurrentQueue<(int Id, string Text)> _lines = new();
    private readonly SemaphoreSlim _more = new(0);

    public IReadOnlyList<string> Of(int id) => [.. _lines.Where(line => line.Id == id).Select(line => line.Text)];

    /// <summary>Returns a line with this id and this text, once that many are there. One waiter at a time.</summary>
    public async Task<string> UntilAsync(int id, string text = "", int times = 1)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            if (Of(id).Where(line => line.Contains(text, StringComparison.Ordinal)).ElementAtOrDefault(times - 1) is { } line)
            {
                return line;
            }

            try
            {
                await _more.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Nothing with id {id} and '{text}' was logged, but: {string.Join('\n', _lines)}");
            }
        }
    }

    /// <summary>All of it, a line each.</summary>
    public override string ToString() => string.Join('\n', _lines.Select(line => $"{line.Id} {line.Text}"));

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        _lines.Enqueue((eventId.Id, formatter(state, exception)));
        _more.Release();
    }
}
