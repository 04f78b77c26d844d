namespace MeshLedger.Domain.Events;

/// <summary>An event's id: a UUID of version 7 (RFC 9562), lower case. Appending the same id twice appends once.</summary>
public readonly record struct EventId(Guid Value)
{
    public bool IsDefault => Value == Guid.Empty;

    /// <summary>A new id, ordered by <paramref name="time"/>, its other bits random.</summary>
    public static EventId New(DateTimeOffset time) => new(Guid.CreateVersion7(time));

    public static bool TryParse(ReadOnlySpan<char> text, out EventId id)
    {
        var valid = Guid.TryParseExact(text, "D", out var value) && value.Version == 7
            && !text.ContainsAnyInRange('A', 'F');
        id = valid ? new EventId(value) : default;
        return valid;
    }

    public override string ToString() => Value.ToString("D");
}
