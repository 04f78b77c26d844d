using System.Data.Common;
using System.Text;

namespace MeshLedger.Observability.Metrics;

/// <summary>All metrics of a process, in the order in which they were made.</summary>
public sealed class MetricRegistry
{
    /// <summary>A reading that takes longer is left out of the scrape, and counted.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly List<MetricFamily> _families = [];
    private readonly Counter _failures;

    public MetricRegistry()
    {
        _failures = new Counter(
            "meshledger_scrape_failures_total",
            "Values that could not be read for a scrape, and are missing from it.", "metric");
    }

    /// <summary>The names of all metrics.</summary>
    public IReadOnlyList<string> Names => [.. All().Select(family => family.Name)];

    public Counter Counter(string name, string help, params string[] labels) =>
        Add(new Counter(name, help, labels));

    /// <param name="bounds">Upper bounds of the buckets, rising, without infinity.</param>
    public Histogram Histogram(string name, string help, double[] bounds, params string[] labels) =>
        Add(new Histogram(name, help, bounds, labels));

    public void Gauge(string name, string help, Func<double> read) =>
        Gauge(name, help, [], () => [new Sample(read())]);

    public void Gauge(string name, string help, string[] labels, Func<IReadOnlyList<Sample>> read) =>
        Gauge(name, help, labels, _ => ValueTask.FromResult(read()));

    public void Gauge(
        string name, string help, string[] labels, Func<CancellationToken, ValueTask<IReadOnlyList<Sample>>> read) =>
        Add(new Reading(name, help, "gauge", labels, read));

    /// <summary>A counter that something else counts.</summary>
    public void CounterOf(string name, string help, Func<double> read) =>
        Add(new Reading(
            name, help, "counter", [], _ => ValueTask.FromResult<IReadOnlyList<Sample>>([new Sample(read())])));

    /// <summary>Everything, as Prometheus reads it.</summary>
    public async Task<string> WriteAsync(CancellationToken cancellationToken)
    {
        var texts = await Task.WhenAll(All().Select(family => TryWriteAsync(family, cancellationToken)));
        var output = new StringBuilder();
        foreach (var text in texts)
        {
            output.Append(text);
        }

        await _failures.WriteAsync(output, cancellationToken);
        return output.ToString();
    }

    private MetricFamily[] All()
    {
        lock (_lock)
        {
            return [.. _families];
        }
    }

    private async Task<StringBuilder?> TryWriteAsync(MetricFamily family, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        var output = new StringBuilder();
        try
        {
            await family.WriteAsync(output, limit.Token).AsTask().WaitAsync(limit.Token);
            return output;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _failures.Add(1, family.Name);
            return null;
        }
        catch (Exception exception)
            when (exception is DbException or IOException or TimeoutException or UnauthorizedAccessException)
        {
            _failures.Add(1, family.Name);
            return null;
        }
    }

    private T Add<T>(T family)
        where T : MetricFamily
    {
        lock (_lock)
        {
            if (_families.Exists(other => other.Name == family.Name))
            {
                throw new ArgumentException($"There is a metric {family.Name} already.", nameof(family));
            }

            _families.Add(family);
        }

        return family;
    }
}
