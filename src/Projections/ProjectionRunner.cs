using System.Reflection;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections;

/// <summary>
/// Keeps one projection: its rows and its position change in one transaction, which first takes the position's row, so
/// that two nodes, or a node and a rebuild, never apply an event twice. Whoever finds the position elsewhere than it
/// thought goes on from there.
/// </summary>
internal sealed class ProjectionRunner(IProjection projection, IEventStore store, NpgsqlDataSource database)
{
    private const int Batch = 5000;

    private readonly string _script = Script(projection.Name);
    private long _position = -1;

    public string Name => projection.Name;

    /// <summary>The table's comment, by which a table of another version is known.</summary>
    private string MadeBy => MadeByOf(_script);

    private string Shard => ShardOf(projection.Name);

    /// <summary>Makes the table and the position if one of them is missing, for each is worth nothing without the other,
    /// if the table is of another version, or if they contradict each other: nothing is at no position, and from the
    /// beginning there are no rows.</summary>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, "SELECT pg_advisory_xact_lock(7310579631243879527)", cancellationToken);
        await using var made = new NpgsqlCommand(
            "SELECT obj_description(to_regclass($1), 'pg_class') "
            + "WHERE EXISTS (SELECT FROM mt_event_progression WHERE name = $2 AND last_seq_id >= 0)",
            connection);
        made.Parameters.Add(new NpgsqlParameter<string> { TypedValue = projection.Name });
        made.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard });
        var isMade = await made.ExecuteScalarAsync(cancellationToken) as string == MadeBy;
        if (!isMade || await IsAheadAsync(connection, cancellationToken))
        {
            await TakePositionAsync(connection, cancellationToken);
            await CreateAsync(connection, cancellationToken);
            _position = -1;
        }

        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>True if there are rows, and nothing was read.</summary>
    private async Task<bool> IsAheadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT EXISTS (SELECT FROM mt_event_progression WHERE name = $1 AND last_seq_id = 0) AND EXISTS (SELECT FROM {projection.Name})",
            connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>Empties the projection: the table is dropped and made anew, the position is 0.</summary>
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await TakePositionAsync(connection, cancellationToken);
        await CreateAsync(connection, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        _position = -1;
    }

    /// <summary>Where the projection stands.</summary>
    public async Task<long> PositionAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT coalesce((SELECT last_seq_id FROM mt_event_progression WHERE name = $1), 0)");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard });
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>Applies what the log holds, reading the next batch while one is written.</summary>
    public async Task CatchUpAsync(IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (_position < 0)
        {
            _position = await PositionAsync(cancellationToken);
            projection.Forget();
        }

        var reading = ReadAsync(_position, cancellationToken);
        while (true)
        {
            var events = await reading;
            if (events.Count == 0)
            {
                return;
            }

            reading = ReadAsync(events[^1].Position, cancellationToken);
            if (!await ApplyAsync(events, cancellationToken))
            {
                await reading;
                await EnsureAsync(cancellationToken);
                _position = await PositionAsync(cancellationToken);
                reading = ReadAsync(_position, cancellationToken);
            }

            progress?.Report(_position);
        }
    }

    /// <summary>Applies events that follow the position at which this runner stands.</summary>
    /// <returns>False if the projection is not there any more: another process moved it.</returns>
    public async Task<bool> FollowAsync(IReadOnlyList<RecordedEvent> events, CancellationToken cancellationToken)
    {
        if (_position == events[0].Position - 1 && await ApplyAsync(events, cancellationToken))
        {
            return true;
        }

        _position = -1;
        return false;
    }

    private async Task<IReadOnlyList<RecordedEvent>> ReadAsync(long position, CancellationToken cancellationToken)
    {
        var events = await store.ReadAfterAsync(position, Batch, cancellationToken);

        // Bodies are read here, beside the writing of the batch before.
        foreach (var recorded in events)
        {
            _ = recorded.Statement.Body;
        }

        return events;
    }

    /// <summary>False if the projection was not at the position before these events.</summary>
    private async Task<bool> ApplyAsync(IReadOnlyList<RecordedEvent> events, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await TakePositionAsync(connection, cancellationToken) != events[0].Position - 1)
        {
            projection.Forget();
            return false;
        }

        try
        {
            await projection.ApplyAsync(events, connection, cancellationToken);
            await using (var move = new NpgsqlCommand(
                "UPDATE mt_event_progression SET last_seq_id = $1, last_updated = transaction_timestamp() WHERE name = $2",
                connection))
            {
                move.Parameters.Add(new NpgsqlParameter<long> { TypedValue = events[^1].Position });
                move.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard });
                await move.ExecuteNonQueryAsync(cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
        }
        catch
        {
            projection.Forget();
            _position = -1;
            throw;
        }

        _position = events[^1].Position;
        return true;
    }

    private async Task<long> TakePositionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A process that stands still in the middle must not hold up the others for ever.
        await using var command = new NpgsqlCommand(
            "SELECT last_seq_id, set_config('idle_in_transaction_session_timeout', '60s', true) "
            + "FROM mt_event_progression WHERE name = $1 FOR UPDATE",
            connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard });
        return await command.ExecuteScalarAsync(cancellationToken) as long? ?? -1;
    }

    /// <summary>Drops the table, and the views on it, and makes them; the position is 0.</summary>
    private async Task CreateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await ExecuteAsync(
            connection,
            $"DROP TABLE IF EXISTS {projection.Name} CASCADE; {_script}; COMMENT ON TABLE {projection.Name} IS '{MadeBy}'",
            cancellationToken);
        await using var command = new NpgsqlCommand("SELECT mt_mark_event_progression($1, 0)", connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Shard, NpgsqlDbType = NpgsqlDbType.Varchar });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    internal static string MadeByOf(string script) => "meshledger " + Digest.OfBytes(Encoding.UTF8.GetBytes(script));

    internal static string ShardOf(string name) => name + ":All";

    /// <summary>What makes a projection's table.</summary>
    internal static string Script(string name)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(name + ".sql")!);
        return reader.ReadToEnd();
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
