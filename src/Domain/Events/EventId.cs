namespace MeshLedger.Domain.Events;

/// <summary>An event's id: a UUID of version 7 (RFC 9562), lower case. Appending the same id twice appends once.</summary>
public readonly record struct EventId(Guid Value)
{
    public bool IsDefault => Value == Guid.Empty;

    /// <summary>True for a UUID of version 7 in RFC 9562's variant; a row of a table may hold any other.</summary>
    public bool IsValid => Value.Version == 7 && Value.Variant is >= 0x8 and <= 0xB;

    /// <summary>A new id, ordered by <paramref name="time"/>, its other bits random.</summary>
    public static EventId New(DateTimeOffset time) => new(Guid.CreateVersion7(time));

    public static bool TryParse(ReadOnlySpan<char> text, out EventId id)
    {
        id = Guid.TryParseExact(text, "D", out var value) && !text.ContainsAnyInRange('A', 'F') ? new(value) : default;
        if (id.IsValid)
        {
            return true;
        }

        id = default;
        return false;
    }

    public override string ToString() => Value.ToString("D");
}
