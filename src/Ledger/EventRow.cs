using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger;

/// <summary>A row of <c>mt_events</c> as it stands there, before anything about it is believed.</summary>
internal sealed record EventRow(
    long Position, Guid Id, string Stream, long Version, byte[] Data, string Type, DateTimeOffset AppendedAt,
    byte[]? Headers, string? Causation)
{
    /// <summary>The columns that <see cref="Read"/> reads, in its order.</summary>
    public const string Columns =
        "e.seq_id, e.id, e.stream_id, e.version, e.data, e.type, e.timestamp, e.headers, e.causation_id";

    /// <summary>What of the row has no value here, such as a time before our era; null where all of it was read. Such a
    /// row has whatever could be read, and is no event.</summary>
    public string? Unreadable { get; private init; }

    /// <summary>Never fails for what stands in a row: see <see cref="Unreadable"/>.</summary>
    public static EventRow Read(NpgsqlDataReader reader)
    {
        try
        {
            return new EventRow(
                reader.GetInt64(0),
                reader.GetGuid(1),
                reader.IsDBNull(2) ? "" : reader.GetString(2),
                reader.GetInt64(3),
                reader.GetFieldValue<byte[]>(4),
                reader.GetString(5),
                Finite(reader.GetFieldValue<DateTimeOffset>(6)),
                reader.IsDBNull(7) ? null : reader.GetFieldValue<byte[]>(7),
                reader.IsDBNull(8) ? null : reader.GetString(8));
        }
        catch (Exception exception) when (IsOfTheValue(exception))
        {
            return ReadWhatCanBe(reader);
        }
    }

    /// <summary>The position alone; 0 if it cannot be read.</summary>
    public static long ReadPosition(NpgsqlDataReader reader)
    {
        try
        {
            return reader.GetInt64(0);
        }
        catch (Exception exception) when (IsOfTheValue(exception))
        {
            return 0;
        }
    }

    /// <summary>True if a value that stands in a table is one that Npgsql or .NET has no form for: a null, a year before 1
    /// or after 9999, a type that a column had not when it was made, bytes that are no UTF-8.</summary>
    public static bool IsOfTheValue(Exception exception) =>
        exception is InvalidCastException or ArgumentException or FormatException or OverflowException;

    /// <summary>The event that the row claims to be. The statement is rebuilt from the columns, so its digest and
    /// signature speak about them; the signature is not verified here.</summary>
    /// <exception cref="FormatException">The row cannot be an event; says why.</exception>
    public RecordedEvent ToEvent(out EventHeaders headers)
    {
        if (Unreadable is not null)
        {
            throw new FormatException(Unreadable);
        }

        headers = EventHeaders.Read(Headers ?? throw new FormatException("the row has no headers"));
        if (!StreamId.TryParse(Stream, out var stream))
        {
            throw new FormatException($"'{Stream}' is no stream name");
        }

        var statement = Statement.Create(headers.By, headers.Cause, Data, new EventId(Id), stream, headers.Time, Type);
        return new RecordedEvent(
            new SignedEvent(statement, headers.Signature, headers.Proof), Position, Version, AppendedAt);
    }

    /// <summary>As <see cref="ToEvent(out EventHeaders)"/>, for those who believe what is stored.</summary>
    /// <exception cref="InvalidHistoryException">The row is no event.</exception>
    public RecordedEvent ToStoredEvent()
    {
        try
        {
            return ToEvent(out _);
        }
        catch (FormatException exception)
        {
            throw Broken(exception.Message);
        }
    }

    /// <summary>As <see cref="ToEvent(out EventHeaders)"/>, with digest and signature verified.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public RecordedEvent ToVerifiedEvent(BatchVerifier verifier)
    {
        try
        {
            var recorded = ToEvent(out var headers);
            return headers.Digest == recorded.Event.Digest && recorded.Event.Verify(verifier)
                ? recorded
                : throw Broken("its digest or signature does not verify");
        }
        catch (FormatException exception)
        {
            throw Broken(exception.Message);
        }
    }

    private static EventRow ReadWhatCanBe(NpgsqlDataReader reader)
    {
        var unread = new List<string>();
        T? Value<T>(int column)
        {
            try
            {
                return column is 2 or 7 or 8 && reader.IsDBNull(column) ? default : reader.GetFieldValue<T>(column);
            }
            catch (Exception exception) when (IsOfTheValue(exception))
            {
                unread.Add(reader.GetName(column));
                return default;
            }
        }

        var row = new EventRow(
            Value<long>(0), Value<Guid>(1), Value<string>(2) ?? "", Value<long>(3), Value<byte[]>(4) ?? [],
            Value<string>(5) ?? "", Value<DateTimeOffset>(6), Value<byte[]>(7), Value<string>(8));
        return row with
        {
            Unreadable = unread.Count > 0
                ? $"what stands in {string.Join(", ", unread)} is no value that can be read"
                : "its timestamp is infinite",
        };
    }

    private static DateTimeOffset Finite(DateTimeOffset time) =>
        time.UtcDateTime == DateTime.MinValue || time.UtcDateTime == DateTime.MaxValue
            ? throw new OverflowException("The time is infinite.")
            : time;

    private InvalidHistoryException Broken(string reason) => new(
        $"Event {Type} at position {Position} ({Stream} version {Version}) is not what its author signed: {reason}. "
        + "Run: meshledger audit");
}
