using System.Buffers.Binary;
using System.Globalization;
using MeshLedger.Projections.EventIndex;
using Npgsql;

namespace MeshLedger.Projections.Reports;

/// <summary>Events and jobs a day or an hour. Events are counted by the times that <c>event_index</c> holds, eight bytes
/// each, and not by reading them.</summary>
internal static class ThroughputReport
{
    /// <summary>Up to so many periods are shown without a gap; a clock that was years wrong would make millions.</summary>
    private const int MostPeriods = 1000;

    private static readonly string[] Ends = ["completed", "failed", "cancelled"];

    public static async Task<ReportTable> ReadAsync(
        NpgsqlConnection connection, ReportQuestion question, long position, CancellationToken cancellationToken)
    {
        var length = question.By == ReportNames.ByHour ? TimeSpan.FromHours(1) : TimeSpan.FromDays(1);
        var (from, to) = (question.From ?? DateTimeOffset.MinValue, question.To ?? DateTimeOffset.MaxValue);
        var periods = new SortedDictionary<long, long[]>();

        // Events, submitted, completed, failed, cancelled.
        void Count(DateTimeOffset time, int figure, long times = 1)
        {
            var period = time.UtcTicks / length.Ticks;
            if (!periods.TryGetValue(period, out var figures))
            {
                periods.Add(period, figures = new long[2 + Ends.Length]);
            }

            figures[figure] += times;
        }

        await foreach (var time in TimesAsync(connection, position, from, to, cancellationToken))
        {
            Count(time, 0);
        }

        // By hour in any case: of days that is a few rows more, and one query serves both.
        await using (var command = new NpgsqlCommand(
            """
            SELECT date_trunc('hour', submitted_at, 'UTC'), 'submitted', count(*) FROM job_status
                WHERE submitted_at >= $1 AND submitted_at < $2 GROUP BY 1
            UNION ALL SELECT date_trunc('hour', ended_at, 'UTC'), status, count(*) FROM job_status
                WHERE ended_at >= $1 AND ended_at < $2 GROUP BY 1, 2
            """,
            connection))
        {
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = from.UtcDateTime });
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = to.UtcDateTime });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                var figure = Array.IndexOf(Ends, reader.GetString(1)) + 2;
                Count(reader.GetFieldValue<DateTimeOffset>(0), Math.Max(figure, 1), reader.GetInt64(2));
            }
        }

        if (periods.Count > 0 && periods.Keys.Last() - periods.Keys.First() < MostPeriods)
        {
            for (var period = periods.Keys.First(); period < periods.Keys.Last(); period++)
            {
                periods.TryAdd(period, new long[2 + Ends.Length]);
            }
        }

        var format = question.By == ReportNames.ByHour ? "yyyy-MM-dd'T'HH:mm'Z'" : "yyyy-MM-dd";
        return new ReportTable(
            [
                new(question.By ?? ReportNames.ByDay, ReportUnit.Text), new("events", ReportUnit.Count),
                new("jobs_submitted", ReportUnit.Count), .. Ends.Select(end => new ReportColumn($"jobs_{end}", ReportUnit.Count)),
            ],
            [.. periods.Select(period => (object?[])
            [
                new DateTime(period.Key * length.Ticks, DateTimeKind.Utc).ToString(format, CultureInfo.InvariantCulture),
                .. period.Value.Select(figure => (object)figure),
            ])]);
    }

    private static async IAsyncEnumerable<DateTimeOffset> TimesAsync(
        NpgsqlConnection connection, long position, DateTimeOffset from, DateTimeOffset to,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (low, high) = (EventTimes.Of(from), EventTimes.Of(to));
        await using var command = new NpgsqlCommand(
            """
            SELECT t.block, t.data FROM event_index s JOIN event_index t ON t.term = 'time' AND t.block = s.block
            WHERE s.term = 'span' AND s.high >= $1 AND s.low < $2
            """,
            connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = low });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = high });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var first = ((long)reader.GetInt32(0) * EventTerms.Block) + 1;
            var times = reader.GetFieldValue<byte[]>(1);
            for (var at = 0; at + 8 <= times.Length && first + (at / 8) <= position; at += 8)
            {
                var time = BinaryPrimitives.ReadInt64BigEndian(times.AsSpan(at));
                if (time >= low && time < high && time > 0)
                {
                    yield return EventTimes.Of(time);
                }
            }
        }
    }
}
