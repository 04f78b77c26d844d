using MeshLedger.Ledger;
using MeshLedger.Ledger.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Testing;

/// <summary>
/// A migrated database of its own, on a private PostgreSQL that the test process shares and stops at its end. Real in
/// every respect: the same programs, the same start, fsync on.
/// </summary>
public sealed class PostgresDatabase : IAsyncDisposable
{
    private const string Template = "template_migrated";
    private static readonly Lazy<Task<string>> Server = new(StartAsync);
    private static int _count;

    private PostgresDatabase(string connectionString, string name)
    {
        ConnectionString = connectionString;
        Name = name;
        Source = LedgerDatabase.Open(connectionString);
    }

    public string ConnectionString { get; }

    public string Name { get; }

    public NpgsqlDataSource Source { get; }

    public static async Task<PostgresDatabase> CreateAsync()
    {
        var server = await Server.Value;
        var name = $"test_{Interlocked.Increment(ref _count)}";
        await using (var admin = NpgsqlDataSource.Create(server))
        {
            await ExecuteAsync(admin, $"CREATE DATABASE {name} TEMPLATE {Template}");
        }

        return new PostgresDatabase(new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString, name);
    }

    /// <summary>An empty database that was never migrated.</summary>
    public static async Task<PostgresDatabase> CreateEmptyAsync()
    {
        var server = await Server.Value;
        var name = $"test_{Interlocked.Increment(ref _count)}";
        await using (var admin = NpgsqlDataSource.Create(server))
        {
            await ExecuteAsync(admin, $"CREATE DATABASE {name}");
        }

        return new PostgresDatabase(new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString, name);
    }

    public Task ExecuteAsync(string sql) => ExecuteAsync(Source, sql);

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>All rows of a query, their values joined by a bar: for comparing tables.</summary>
    public async Task<IReadOnlyList<string>> RowsAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            rows.Add(string.Join('|', values));
        }

        return rows;
    }

    public ValueTask DisposeAsync() => Source.DisposeAsync();

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<string> StartAsync()
    {
        var directory = Directory.CreateTempSubdirectory("ml-test-").FullName;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        var postgres = await PrivatePostgres.StartAsync(
            directory, TimeSpan.Zero, NullLogger.Instance, CancellationToken.None);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            NpgsqlConnection.ClearAllPools();
            postgres.DisposeAsync().AsTask().GetAwaiter().GetResult();
            Directory.Delete(directory, recursive: true);
        };
        var template = new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Database = Template, Pooling = false };
        await using (var admin = NpgsqlDataSource.Create(postgres.ConnectionString))
        {
            await ExecuteAsync(admin, $"CREATE DATABASE {Template}");
        }

        await using (var migrated = NpgsqlDataSource.Create(template.ConnectionString))
        {
            await Migrations.ApplyAsync(migrated, NullLogger.Instance, CancellationToken.None);
        }

        return new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { MaxPoolSize = 20 }.ConnectionString;
    }
}
