using System.Globalization;
using System.Runtime.CompilerServices;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>The ledger on PostgreSQL. One a process and database; safe for concurrent use.</summary>
public sealed class PostgresEventStore : IEventStore, IAsyncDisposable
{
    private const int FollowBatch = 2000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly NpgsqlDataSource _database;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly RecentEvents _recent = new();
    private readonly SemaphoreSlim _reading = new(1);
    private readonly BatchVerifier _verifier;
    private readonly Sequencer _sequencer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _listening;
    private long _told;

    /// <summary>The database must be migrated (<see cref="Migrations"/>).</summary>
    /// <param name="rememberedBatches">How many verified signatures are remembered, so that events of one batch that
    /// are loaded again cost no verification.</param>
    public PostgresEventStore(
        NpgsqlDataSource database, TimeProvider clock, ILogger<PostgresEventStore> log, int rememberedBatches = 65_536)
    {
        _verifier = new BatchVerifier(rememberedBatches);
        _database = database;
        _clock = clock;
        _log = log;
        _sequencer = new Sequencer(database, _recent, clock, log);
        _listening = Task.Run(ListenAsync);
    }

    /// <inheritdoc/>
    public async Task<AppendOutcome> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        if (request.Events.Count == 0)
        {
            return new AppendOutcome.Appended([], Before: false);
        }

        if (_verifier.FirstBad(request.Events) is { } bad)
        {
            return new AppendOutcome.Rejected(new Refusal(
                "BAD_SIGNATURE", $"event {bad.Statement.Id} is not signed by {bad.Statement.By}"));
        }

        if (request.Events.DistinctBy(signed => signed.Statement.Id).Count() < request.Events.Count)
        {
            return new AppendOutcome.Rejected(new Refusal(
                "EVENT_ID_TAKEN", "two of these events have one event id; every event has an id of its own"));
        }

        return await _sequencer.AppendAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> LoadAsync(StreamId stream, CancellationToken cancellationToken) =>
        LoadTailAsync(stream, 0, cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> LoadTailAsync(
        StreamId stream, long version, CancellationToken cancellationToken) =>
        PatientlyAsync(() => LoadOnceAsync(stream, version, cancellationToken), cancellationToken);

    private async Task<IReadOnlyList<RecordedEvent>> LoadOnceAsync(
        StreamId stream, long after, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            $"SELECT {EventRow.Columns} FROM mt_events e WHERE e.stream_id = $1 AND e.version > $2 ORDER BY e.version");
        command.Parameters.Add(new NpgsqlParameter<string>
        {
            TypedValue = stream.ToString(),
            NpgsqlDbType = NpgsqlDbType.Varchar,
        });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = after });
        var events = await ReadVerifiedAsync(command, cancellationToken);
        for (var i = 0; i < events.Count; i++)
        {
            if (events[i].Version != after + i + 1)
            {
                throw new InvalidHistoryException(
                    $"Stream {stream} has no version {after + i + 1}: found {events[i].Version}. Run: meshledger audit");
            }
        }

        return events;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> LoadKindsAsync(
        IReadOnlyList<string> kinds, CancellationToken cancellationToken) =>
        PatientlyAsync(() => LoadKindsOnceAsync(kinds, cancellationToken), cancellationToken);

    private async Task<IReadOnlyList<RecordedEvent>> LoadKindsOnceAsync(
        IReadOnlyList<string> kinds, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            $"SELECT {EventRow.Columns} FROM mt_streams s JOIN mt_events e ON e.stream_id = s.id "
            + "WHERE s.type = ANY ($1) ORDER BY e.seq_id");
        command.Parameters.Add(Sequencer.Array(kinds.ToArray(), NpgsqlDbType.Varchar));
        return await ReadVerifiedAsync(command, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> LoadTypesAsync(
        IReadOnlyList<string> types, DateTimeOffset? since, CancellationToken cancellationToken) =>
        PatientlyAsync(() => LoadTypesOnceAsync(types, since, cancellationToken), cancellationToken);

    private async Task<IReadOnlyList<RecordedEvent>> LoadTypesOnceAsync(
        IReadOnlyList<string> types, DateTimeOffset? since, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            $"SELECT {EventRow.Columns} FROM mt_events e WHERE e.type = ANY ($1) AND e.timestamp >= $2 ORDER BY e.seq_id");
        command.Parameters.Add(Sequencer.Array(types.ToArray(), NpgsqlDbType.Varchar));
        command.Parameters.Add(new NpgsqlParameter<DateTime>
        {
            // The least date is PostgreSQL's -infinity.
            TypedValue = since?.UtcDateTime ?? DateTime.MinValue,
            NpgsqlDbType = NpgsqlDbType.TimestampTz,
        });
        return await ReadVerifiedAsync(command, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<StreamId>> OpenStreamsAsync(
        string kind, IReadOnlyList<string> endTypes, CancellationToken cancellationToken) =>
        PatientlyAsync(() => OpenStreamsOnceAsync(kind, endTypes, cancellationToken), cancellationToken);

    private async Task<IReadOnlyList<StreamId>> OpenStreamsOnceAsync(
        string kind, IReadOnlyList<string> endTypes, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            "SELECT s.id FROM mt_streams s JOIN mt_events e ON e.stream_id = s.id AND e.version = s.version "
            + "WHERE s.type = $1 AND e.type <> ALL ($2) ORDER BY e.seq_id");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = kind });
        command.Parameters.Add(Sequencer.Array(endTypes.ToArray(), NpgsqlDbType.Varchar));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var streams = new List<StreamId>();
        while (await reader.ReadAsync(cancellationToken))
        {
            streams.Add(StreamId.TryParse(reader.GetString(0), out var stream)
                ? stream
                : throw new InvalidHistoryException(
                    $"'{reader.GetString(0)}' in mt_streams is no stream name. Run: meshledger audit"));
        }

        return streams;
    }

    /// <inheritdoc/>
    public Task<long> HeadAsync(CancellationToken cancellationToken) =>
        PatientlyAsync(() => HeadOnceAsync(cancellationToken), cancellationToken);

    private async Task<long> HeadOnceAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("SELECT coalesce(max(seq_id), 0) FROM mt_events");
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<IReadOnlyList<RecordedEvent>> FollowAsync(
        long position, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var delay = TimeSpan.FromMilliseconds(50);
        var look = true;
        while (!cancellationToken.IsCancellationRequested)
        {
            var changed = _recent.Changed;
            var batch = _recent.After(position, FollowBatch);
            if (batch is null && (look || _recent.Head > position))
            {
                try
                {
                    batch = await ReadHoleAsync(position, cancellationToken);
                    delay = TimeSpan.FromMilliseconds(50);
                }
                catch (Exception exception) when (exception is NpgsqlException or IOException or TimeoutException)
                {
                    TellPostponed(exception, delay);
                    await Task.Delay(delay, _clock, cancellationToken);
                    delay = delay < TimeSpan.FromSeconds(5) ? delay * 2 : delay;
                    continue;
                }
            }

            if (batch is { Count: > 0 })
            {
                position = batch[^1].Position;
                yield return batch;
                continue;
            }

            // A notification is a hint that may get lost; looking again now and then is what is relied on.
            await changed.WaitAsync(LookAgain, _clock, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            look = !changed.IsCompleted;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RecordedEvent>> ReadAfterAsync(
        long position, int count, CancellationToken cancellationToken) =>
        _recent.After(position, count)
            ?? await ReadAfterAsync(position, count, row => row.ToStoredEvent(), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> ReadVerifiedAfterAsync(
        long position, int count, CancellationToken cancellationToken) => PatientlyAsync(
        async () => _recent.After(position, count)
            ?? await ReadAfterAsync(position, count, row => row.ToVerifiedEvent(_verifier), cancellationToken),
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        await _sequencer.DisposeAsync();
        await _listening;
        _stopping.Dispose();
    }

    /// <summary>What the log holds after <paramref name="position"/> and memory does not. One reads for all who follow.
    /// </summary>
    private async Task<IReadOnlyList<RecordedEvent>> ReadHoleAsync(long position, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_recent.After(position, FollowBatch) is { } held)
            {
                return held;
            }

            var read = await ReadAfterAsync(
                position,
                (int)(_recent.EndOfHole(position, FollowBatch) - position - 1),
                row => row.ToVerifiedEvent(_verifier),
                cancellationToken);
            _recent.Keep(read);
            return read;
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task<IReadOnlyList<RecordedEvent>> ReadAfterAsync(
        long position, int count, Func<EventRow, RecordedEvent> toEvent, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(
            $"SELECT {EventRow.Columns} FROM mt_events e WHERE e.seq_id > $1 ORDER BY e.seq_id LIMIT $2");
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = position });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = count });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var events = new List<RecordedEvent>();
        while (await reader.ReadAsync(cancellationToken))
        {
            events.Add(toEvent(EventRow.Read(reader)));
        }

        return events;
    }

    private async Task<List<RecordedEvent>> ReadVerifiedAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var events = new List<RecordedEvent>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            // What was verified before need not be again.
            events.Add(_recent.Find(EventRow.ReadPosition(reader)) ?? EventRow.Read(reader).ToVerifiedEvent(_verifier));
        }

        return events;
    }

    /// <summary>Reads again a few times when the database was away for a moment, or a connection had died unnoticed.
    /// </summary>
    private async Task<T> PatientlyAsync<T>(Func<Task<T>> read, CancellationToken cancellationToken)
    {
        for (var delay = TimeSpan.FromMilliseconds(20); ; delay *= 3)
        {
            try
            {
                return await read();
            }
            catch (Exception exception) when (DatabaseFault.IsPassing(exception) && delay < TimeSpan.FromSeconds(5))
            {
                TellPostponed(exception, delay);
                await Task.Delay(delay, _clock, cancellationToken);
            }
        }
    }

    /// <summary>Says that the database is away once a second, however many readers wait for it.</summary>
    private void TellPostponed(Exception exception, TimeSpan delay)
    {
        var told = Interlocked.Read(ref _told);
        if ((told == 0 || _clock.GetElapsedTime(told) >= LookAgain)
            && Interlocked.CompareExchange(ref _told, _clock.GetTimestamp(), told) == told)
        {
            Log.ReadPostponed(_log, DatabaseFault.Explain(exception), delay.TotalMilliseconds);
        }
    }

    /// <summary>Turns the database's notifications into wake-ups. Whatever happens to it, followers look by
    /// themselves.</summary>
    private async Task ListenAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await using var connection = await _database.OpenConnectionAsync(_stopping.Token);
                connection.Notification += (_, told) => _recent.Wake(
                    long.TryParse(told.Payload, NumberStyles.None, CultureInfo.InvariantCulture, out var head) ? head : 0);
                await using (var command = new NpgsqlCommand("LISTEN ml_appended", connection))
                {
                    await command.ExecuteNonQueryAsync(_stopping.Token);
                }

                while (true)
                {
                    await connection.WaitAsync(_stopping.Token);
                }
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or IOException or TimeoutException)
            {
                TellPostponed(exception, LookAgain);
                await Task.Delay(LookAgain, _clock, _stopping.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }
}
