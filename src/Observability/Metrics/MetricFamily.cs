using System.Globalization;
using System.Text;

namespace MeshLedger.Observability.Metrics;

// The Prometheus text format 0.0.4, UTF-8, lines ended by LF:
//
//   # HELP meshledger_jobs_ended_total Jobs that ended.
//   # TYPE meshledger_jobs_ended_total counter
//   meshledger_jobs_ended_total{operation="system.echo",status="completed"} 3
//
// In a label's value \ is written \\, " is \" and a line feed is \n; in HELP the first and the last of these. A
// histogram's buckets are cumulative and end with le="+Inf", which equals its _count. Checked by ExpositionTests, and
// by promtool and a real Prometheus in PrometheusTests.

/// <summary>One metric with all its label values. Safe for concurrent use.</summary>
public abstract class MetricFamily(string name, string help, string type, string[] labels)
{
    public string Name => name;

    protected string[] LabelNames => labels;

    /// <summary>Writes the family: its HELP, its TYPE, and a line a value.</summary>
    internal async ValueTask WriteAsync(StringBuilder output, CancellationToken cancellationToken)
    {
        output.Append("# HELP ").Append(name).Append(' ');
        Escape(output, help, quote: false);
        output.Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        await WriteValuesAsync(output, cancellationToken);
    }

    protected abstract ValueTask WriteValuesAsync(StringBuilder output, CancellationToken cancellationToken);

    /// <summary>The labels as they stand between the braces; empty without labels.</summary>
    protected string Render(ReadOnlySpan<string> values)
    {
        if (values.Length != labels.Length)
        {
            throw new ArgumentException($"{name} has {labels.Length} labels, not {values.Length}.", nameof(values));
        }

        if (values.Length == 0)
        {
            return "";
        }

        var text = new StringBuilder();
        for (var i = 0; i < values.Length; i++)
        {
            text.Append(i == 0 ? "" : ",").Append(labels[i]).Append("=\"");
            Escape(text, values[i], quote: true);
            text.Append('"');
        }

        return text.ToString();
    }

    protected static void WriteLine(StringBuilder output, string name, string labels, double value)
    {
        output.Append(name);
        if (labels.Length > 0)
        {
            output.Append('{').Append(labels).Append('}');
        }

        output.Append(' ').Append(Number(value)).Append('\n');
    }

    protected static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    private static void Escape(StringBuilder output, string text, bool quote)
    {
        foreach (var letter in text)
        {
            _ = letter switch
            {
                '\\' => output.Append(@"\\"),
                '\n' => output.Append(@"\n"),
                '"' when quote => output.Append("\\\""),
                // Half a character has no UTF-8.
                _ when char.IsSurrogate(letter) => output.Append('\ufffd'),
                _ => output.Append(letter),
            };
        }
    }
}

/// <summary>Only rises, from 0 at the start of the process. Without labels it is there from the start.</summary>
public sealed class Counter : MetricFamily
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, double> _values = [];

    internal Counter(string name, string help, params string[] labels)
        : base(name, help, "counter", labels)
    {
        if (labels.Length == 0)
        {
            _values[""] = 0;
        }
    }

    public void Add(double amount, params ReadOnlySpan<string> labels)
    {
        var key = Render(labels);
        lock (_lock)
        {
            _values[key] = _values.GetValueOrDefault(key) + Math.Max(0, amount);
        }
    }

    protected override ValueTask WriteValuesAsync(StringBuilder output, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var (labels, value) in _values)
            {
                WriteLine(output, Name, labels, value);
            }
        }

        return ValueTask.CompletedTask;
    }
}

/// <summary>One value that is read when it is asked for.</summary>
public readonly record struct Sample(double Value, params string[] Labels);

/// <summary>Read from the state of things at every scrape: nothing is counted up and down, so nothing leaks.</summary>
internal sealed class Reading(
    string name, string help, string type, string[] labels,
    Func<CancellationToken, ValueTask<IReadOnlyList<Sample>>> read) : MetricFamily(name, help, type, labels)
{
    protected override async ValueTask WriteValuesAsync(StringBuilder output, CancellationToken cancellationToken)
    {
        foreach (var sample in await read(cancellationToken))
        {
            WriteLine(output, Name, Render(sample.Labels ?? []), sample.Value);
        }
    }
}

/// <summary>How many observations were at most so large, and their sum.</summary>
public sealed class Histogram : MetricFamily
{
    private readonly Lock _lock = new();
    private readonly double[] _bounds;
    private readonly Dictionary<string, Series> _series = [];

    internal Histogram(string name, string help, double[] bounds, params string[] labels)
        : base(name, help, "histogram", labels)
    {
        _bounds = bounds;
        if (labels.Length == 0)
        {
            _series[""] = new Series(new long[bounds.Length + 1]);
        }
    }

    public void Observe(double value, params ReadOnlySpan<string> labels)
    {
        var key = Render(labels);
        var bucket = Array.BinarySearch(_bounds, value);
        lock (_lock)
        {
            if (!_series.TryGetValue(key, out var series))
            {
                _series[key] = series = new Series(new long[_bounds.Length + 1]);
            }

            series.Buckets[bucket < 0 ? ~bucket : bucket]++;
            series.Sum += value;
        }
    }

    protected override ValueTask WriteValuesAsync(StringBuilder output, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var (labels, series) in _series)
            {
                var count = 0L;
                var before = labels.Length == 0 ? "" : labels + ",";
                for (var i = 0; i <= _bounds.Length; i++)
                {
                    count += series.Buckets[i];
                    var bound = i < _bounds.Length ? _bounds[i] : double.PositiveInfinity;
                    WriteLine(output, Name + "_bucket", $"{before}le=\"{Number(bound)}\"", count);
                }

                WriteLine(output, Name + "_sum", labels, series.Sum);
                WriteLine(output, Name + "_count", labels, count);
            }
        }

        return ValueTask.CompletedTask;
    }

    private sealed class Series(long[] buckets)
    {
        public long[] Buckets => buckets;

        public double Sum { get; set; }
    }
}
