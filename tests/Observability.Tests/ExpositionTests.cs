using System.Globalization;
using MeshLedger.Observability.Metrics;

namespace MeshLedger.Observability.Tests;

public sealed class ExpositionTests
{
    private readonly MetricRegistry _metrics = new();

    [Fact]
    public async Task Label_values_and_help_are_escaped()
    {
        _metrics.Counter("a_total", "Back\\slash and\nline \"end\".", "label").Add(1.5, "a\\b\"c\nd");
        Assert.StartsWith(
            """
            # HELP a_total Back\\slash and\nline "end".
            # TYPE a_total counter
            a_total{label="a\\b\"c\nd"} 1.5

            """,
            await _metrics.WriteAsync(CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Buckets_are_cumulative_and_end_with_infinity()
    {
        var histogram = _metrics.Histogram("h_seconds", "H.", [0.5, 1, 2]);
        foreach (var value in (double[])[0.1, 0.5, 0.7, 2, 9])
        {
            histogram.Observe(value);
        }

        Assert.StartsWith(
            """
            # HELP h_seconds H.
            # TYPE h_seconds histogram
            h_seconds_bucket{le="0.5"} 2
            h_seconds_bucket{le="1"} 3
            h_seconds_bucket{le="2"} 4
            h_seconds_bucket{le="+Inf"} 5
            h_seconds_sum 12.3
            h_seconds_count 5

            """,
            await _metrics.WriteAsync(CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_counter_without_labels_is_there_before_it_is_counted()
    {
        var counter = _metrics.Counter("a_total", "A.");
        Assert.Contains("a_total 0\n", await _metrics.WriteAsync(CancellationToken.None), StringComparison.Ordinal);
        counter.Add(-3);
        Assert.Contains("a_total 0\n", await _metrics.WriteAsync(CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_that_cannot_be_read_is_left_out_and_counted()
    {
        _metrics.Gauge("bad", "B.", () => throw new IOException("gone"));
        _metrics.Gauge("good", "G.", () => 7);
        _ = await _metrics.WriteAsync(CancellationToken.None);
        var text = await _metrics.WriteAsync(CancellationToken.None);
        Assert.DoesNotContain("\nbad", text, StringComparison.Ordinal);
        Assert.Contains("good 7\n", text, StringComparison.Ordinal);
        Assert.Contains("meshledger_scrape_failures_total{metric=\"bad\"} 2\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_metrics_have_two_names()
    {
        _metrics.Counter("a_total", "A.");
        Assert.Throws<ArgumentException>(() => _metrics.Gauge("a_total", "A.", () => 1));
    }

    [Fact]
    public void Label_values_stay_few_whatever_documents_say()
    {
        var values = new LabelValues(3);
        var seen = new HashSet<string>();
        for (var i = 0; i < 1000; i++)
        {
            seen.Add(values.OfFirst(i.ToString(CultureInfo.InvariantCulture)));
        }

        Assert.Equal(["0", "1", "2", LabelValues.Other], seen.Order());
        Assert.Equal(LabelValues.Other, new LabelValues(3).OfFirst("new\nline"));
        Assert.Equal(LabelValues.Other, new LabelValues(3).OfFirst(new string('a', 65)));
        Assert.Equal(LabelValues.Other, values.Of("never learned"));
    }
}
