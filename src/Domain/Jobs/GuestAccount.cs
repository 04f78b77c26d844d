using System.Globalization;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What a metered guest came to. All of it but <see cref="Tier"/>, <see cref="Checkpoints"/> and
/// <see cref="ResumedFrom"/> follows from the document: whoever runs it again must get the same.</summary>
public sealed record GuestAccount
{
    /// <summary>Fuel used from the very beginning, earlier workers' included.</summary>
    public required long Fuel { get; init; }

    /// <summary>The version of the table that says what an instruction costs.</summary>
    public required int FuelTable { get; init; }

    /// <summary>One of <see cref="Tiers"/>: how it was run, which must not matter.</summary>
    public required string Tier { get; init; }

    /// <summary>What the entry gave, a 64-bit integer in decimal: more than a JSON number holds.</summary>
    public string? Result { get; init; }

    /// <summary>BLAKE3 over the final memory, globals and tables; null where it did not end by itself.</summary>
    public BlobHash? StateDigest { get; init; }

    /// <summary>How many checkpoints this run recorded.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Where this run began; null: at the beginning.</summary>
    public CheckpointName? ResumedFrom { get; init; }

    public const string AdaptiveTier = "adaptive";
    public const string CompiledTier = "compiled";
    public const string InterpretedTier = "interpreter";

    public static IReadOnlyList<string> Tiers { get; } = [AdaptiveTier, CompiledTier, InterpretedTier];

    /// <summary>Whether the members can be.</summary>
    internal Refusal? Check() =>
        JobRules.Require(
            Fuel >= 0 && FuelTable > 0 && Checkpoints >= 0 && Tiers.Contains(Tier),
            "WRONG_GUEST",
            $"fuel and checkpoints are 0 or more, the fuel table 1 or more, the tier one of {string.Join(", ", Tiers)}")
        ?? JobRules.Require(
            Result is null || (long.TryParse(Result, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                && value.ToString(CultureInfo.InvariantCulture) == Result),
            "WRONG_GUEST",
            "a guest's result is a 64-bit integer in decimal");
}
