using System.Globalization;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Audit;

// What an audit remembers, one JSON object and a newline:
//     {"audited":"2026-11-21T01:02:03.123456Z","founder":"did:key:z6Mk...","root":"<64 hex>","size":314}
// The tree hash over the log entries of the first `size` events, as a tree head has it, and when that was found clean. Nobody
// signs it: it is worth as much as the place where it is kept. Checked by AuditMemoryTests.

/// <summary>How far a ledger was found clean, kept by whoever audits it until the next time.</summary>
public sealed record AuditMemory(DateTimeOffset Audited, Did Founder, long Size, Digest Root)
{
    /// <summary>Longer files are none.</summary>
    public const int MaxBytes = 4096;

    public string Text => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"audited":"{{Timestamps.Write(Audited)}}","founder":"{{Founder}}","root":"{{Root}}","size":{{Size}}}""") + "\n";

    /// <summary>False for what is none; never throws.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out AuditMemory? memory)
    {
        memory = null;
        if (bytes.Length > MaxBytes)
        {
            return false;
        }

        try
        {
            using var json = JsonDocument.Parse(bytes.ToArray());
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object
                || !Timestamps.TryRead(root.GetProperty("audited").GetString(), out var audited)
                || !Did.TryParse(root.GetProperty("founder").GetString(), out var founder)
                || !Digest.TryParse(root.GetProperty("root").GetString(), out var hash)
                || !root.GetProperty("size").TryGetInt64(out var size) || size < 1)
            {
                return false;
            }

            memory = new AuditMemory(audited, founder, size, hash);
            return true;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Writes it in place of what was remembered before, into a directory that is there. A crash leaves the one or the
    /// other.</summary>
    public void Write(string file)
    {
        var written = $"{file}.{Environment.ProcessId}.tmp";
        using (var stream = new FileStream(written, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            stream.Write(Encoding.UTF8.GetBytes(Text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(written, file, overwrite: true);
    }
}
