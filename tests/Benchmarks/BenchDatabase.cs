using System.Diagnostics;
using System.Globalization;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Benchmarks;

/// <summary>A private PostgreSQL with default settings and fsync on, in a directory of its own that is removed.</summary>
internal sealed class BenchDatabase : IAsyncDisposable
{
    private readonly PrivatePostgres _postgres;

    private BenchDatabase(PrivatePostgres postgres, string directory, NpgsqlDataSource source)
    {
        _postgres = postgres;
        Directory = directory;
        Source = source;
    }

    public string Directory { get; }

    public NpgsqlDataSource Source { get; }

    public string ConnectionString => _postgres.ConnectionString;

    public static async Task<BenchDatabase> StartAsync()
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("ml-bench-").FullName;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        var postgres = await PrivatePostgres.StartAsync(
            directory, TimeSpan.Zero, NullLogger.Instance, CancellationToken.None);
        var source = LedgerDatabase.Open(postgres.ConnectionString);
        await Migrations.ApplyAsync(source, NullLogger.Instance, CancellationToken.None);
        return new BenchDatabase(postgres, directory, source);
    }

    public PostgresEventStore OpenStore(int rememberedBatches = 65_536) =>
        new(Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance, rememberedBatches);

    /// <summary>pgbench's rate of one-row inserts, each its own commit, in transactions a second.</summary>
    public async Task<double> PgbenchInsertsAsync(int clients, int seconds)
    {
        await using (var command = Source.CreateCommand(
            "CREATE TABLE IF NOT EXISTS bench_insert (id bigserial PRIMARY KEY, body text NOT NULL)"))
        {
            await command.ExecuteNonQueryAsync();
        }

        var script = Path.Combine(Directory, "insert.sql");
        await File.WriteAllTextAsync(
            script, $"INSERT INTO bench_insert (body) VALUES ('{new string('x', 94)}');\n");
        var builder = new NpgsqlConnectionStringBuilder(ConnectionString);
        var start = new ProcessStartInfo("pgbench") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])
            ["-n", "-M", "prepared", "-c", $"{clients}", "-j", "2", "-T", $"{seconds}", "-f", script,
             "-h", builder.Host!, "-U", builder.Username!, builder.Database!])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var line = output.Split('\n').FirstOrDefault(line => line.StartsWith("tps = ", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"pgbench gave no figure: {output}{await errors}");
        return double.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await _postgres.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
