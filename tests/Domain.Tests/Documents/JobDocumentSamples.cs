using System.Text;
using MeshLedger.Domain.Documents;

namespace MeshLedger.Domain.Tests.Documents;

/// <summary>Documents to start from. The files in samples/ are those of guestkit's job protocol.</summary>
internal static class JobDocumentSamples
{
    public const string Minimal =
        """{"version":"1.0","job_id":"echo-test-001","created_at":"2026-01-30T16:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":null}}""";

    /// <summary>Has every member that is read, with a value that is not its default.</summary>
    public const string Full =
        """
        {
          "$schema": "https://guestkit.dev/schemas/job-v1.json",
          "version": "1.0",
          "job_id": "job-01JAB3Y7X5K4M8F9W2T6QZ0RSN",
          "created_at": "2026-01-30T10:00:00.25+01:00",
          "kind": "VMOperation",
          "operation": "guestkit.inspect",
          "metadata": {"name": "scan", "namespace": "production", "labels": {"team": "platform"}, "annotations": {"ticket": "INC-12345"}},
          "execution": {
            "idempotency_key": "weekly-scan-2026-w04", "attempt": 2, "max_attempts": 3, "timeout_seconds": 7200,
            "deadline": "2026-01-30T14:00:00Z", "priority": 7, "retry_on": ["TIMEOUT"],
            "cancellable": false
          },
          "constraints": {
            "required_capabilities": ["guestkit.inspect", "disk.qcow2"], "required_features": ["lvm"],
            "minimum_worker_version": "0.4.0-rc.1+b.2", "maximum_disk_size_gb": 1000, "require_privileged": true,
            "allowed_worker_pools": ["pool-secure", "pool-prod"]
          },
          "routing": {
            "worker_id": "worker-7", "worker_pool": "pool-prod", "affinity": {"disk_locality": "/mnt/vms"},
            "anti_affinity": {"rack": ["r1", "r2"]}
          },
          "payload": {"type": "guestkit.inspect.v1", "data": {"image": {"path": "/vms/web.qcow2", "format": "qcow2"}}},
          "market": {
            "max_price": 500, "resources": {"cpu_cores": 2, "memory_mb": 2048, "storage_mb": 10000},
            "min_reputation": 10, "trust_scope": "acme", "federations": ["north", "south"],
            "bid_window_ms": 250, "replicas": 3, "adaptive_replication": true
          },
          "observability": {"trace_id": "t-1", "span_id": "s-2", "parent_span_id": "s-1", "correlation_id": "c-1"},
          "audit": {"submitted_by": "api", "submitted_from": "10.0.1.50", "authorization": {"method": "bearer_token", "subject": "scanner"}}
        }
        """;

    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<(string Name, byte[] Bytes)> Files { get; } =
        Directory.GetFiles(Path.Combine(Root, "tests", "Domain.Tests", "Documents", "samples"), "*.json")
            .Order(StringComparer.Ordinal)
            .Select(path => (Path.GetFileName(path), File.ReadAllBytes(path)))
            .ToList();

    public static DocumentReading Read(string json) => JobDocumentReader.Read(Encoding.UTF8.GetBytes(json));

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "MeshLedger.sln")))
        {
            folder = Path.GetDirectoryName(folder)
                ?? throw new InvalidOperationException("MeshLedger.sln is in no folder above the test's binaries.");
        }

        return folder;
    }
}
