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

    public static EventRow Read(NpgsqlDataReader reader) => new(
        reader.GetInt64(0),
        reader.GetGuid(1),
        reader.IsDBNull(2) ? "" : reader.GetString(2),
        reader.GetInt64(3),
        reader.GetFieldValue<byte[]>(4),
        reader.GetString(5),
        reader.GetFieldValue<DateTimeOffset>(6),
        reader.IsDBNull(7) ? null : reader.GetFieldValue<byte[]>(7),
        reader.IsDBNull(8) ? null : reader.GetString(8));

    /// <summary>The event that the row claims to be. The statement is rebuilt from the columns, so its digest and
    /// signature speak about them; the signature is not verified here.</summary>
    /// <exception cref="FormatException">The row cannot be an event; says why.</exception>
    public RecordedEvent ToEvent(out EventHeaders headers)
    {
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

    private InvalidHistoryException Broken(string reason) => new(
        $"Event {Type} at position {Position} ({Stream} version {Version}) is not what its author signed: {reason}. "
        + "Run: meshledger audit");
}
