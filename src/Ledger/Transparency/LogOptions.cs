using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>How a log is published.</summary>
public sealed record LogOptions
{
    /// <summary>Where its files stand.</summary>
    public required string Directory { get; init; }

    /// <summary>The log's own key.</summary>
    public required SigningKey Key { get; init; }

    /// <summary>Finds the private half of the key that the log was handed over to; null where it is not here.</summary>
    public Func<Did, SigningKey?>? FindKey { get; init; }

    /// <summary>The log's name, a URL without its scheme; null: as directory or ledger have it, at first one that is made
    /// from the key.</summary>
    public string? Origin { get; init; }

    /// <summary>How far the log may be behind the ledger while events come.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Who is asked to cosign each head before it is published.</summary>
    public IReadOnlyList<WitnessAddress> Witnesses { get; init; } = [];

    /// <summary>How many of them must: a head with fewer is signed and kept, and not published.</summary>
    public int Quorum { get; init; }

    /// <summary>The first key of a new log.</summary>
    public NoteKey NoteKey => new(
        Origin ?? $"meshledger/{Key.Did.ToString()["did:key:".Length..]}", NoteKeyType.Signature, Key.Did);
}
