using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Observability.Metrics;

/// <summary>Figures of the process and its runtime, under the names that Prometheus's own clients give them.</summary>
internal static class ProcessMetrics
{
    public static void AddTo(MetricRegistry metrics)
    {
        var started = Read(process => process.StartTime.ToUniversalTime());
        metrics.CounterOf(
            "process_cpu_seconds_total",
            "User and system CPU time of this process, without that of guests and PostgreSQL.",
            () => Read(process => process.TotalProcessorTime.TotalSeconds));
        metrics.Gauge("process_resident_memory_bytes", "Resident memory.", () => Read(process => process.WorkingSet64));
        metrics.Gauge(
            "process_virtual_memory_bytes", "Virtual memory.", () => Read(process => process.VirtualMemorySize64));
        metrics.Gauge(
            "process_threads", "Threads of the operating system.", () => Read(process => process.Threads.Count));
        metrics.Gauge(
            "process_open_fds", "Open file descriptors.",
            () => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count());
        metrics.Gauge(
            "process_start_time_seconds", "When the process started, in seconds since 1970.",
            () => (started - DateTime.UnixEpoch).TotalSeconds);
        metrics.CounterOf(
            "meshledger_disk_read_bytes_total",
            "Bytes that this process and the guests that it ended read from storage.",
            () => DiskBytes("read_bytes: "));
        metrics.CounterOf(
            "meshledger_disk_write_bytes_total",
            "Bytes that this process and the guests that it ended wrote to storage.",
            () => DiskBytes("write_bytes: "));
        metrics.Gauge("dotnet_gc_heap_size_bytes", "Memory in the managed heap.", () => GC.GetTotalMemory(false));
        metrics.CounterOf(
            "dotnet_gc_allocated_bytes_total", "Memory allocated on the managed heap.",
            () => GC.GetTotalAllocatedBytes());
        metrics.CounterOf(
            "dotnet_gc_collections_total", "Collections of all generations.", () => GC.CollectionCount(0));
        metrics.CounterOf("dotnet_gc_pause_seconds_total", "Time for which collections stopped the process.",
            () => GC.GetTotalPauseDuration().TotalSeconds);
        metrics.Gauge("dotnet_threadpool_threads", "Threads of the pool.", () => ThreadPool.ThreadCount);
        metrics.Gauge(
            "dotnet_threadpool_queue_length", "Work that waits for a thread.", () => ThreadPool.PendingWorkItemCount);
    }

    private static T Read<T>(Func<Process, T> read)
    {
        using var process = Process.GetCurrentProcess();
        return read(process);
    }

    /// <summary>The kernel adds what ended children did to their parent's account.</summary>
    private static double DiskBytes(string line)
    {
        foreach (var text in File.ReadLines("/proc/self/io"))
        {
            if (text.StartsWith(line, StringComparison.Ordinal))
            {
                return long.Parse(text.AsSpan(line.Length), CultureInfo.InvariantCulture);
            }
        }

        throw new IOException("/proc/self/io has another form than expected.");
    }
}
