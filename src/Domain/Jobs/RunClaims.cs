using System.Globalization;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What a receipt says that whoever runs the document again must get, too: nothing of times, machines or people.
/// </summary>
public sealed record RunClaims
{
    /// <summary>The error's code; its words are an engine's own.</summary>
    public string? Error { get; init; }
    public int? ExitCode { get; init; }

    /// <summary>Sorted by name.</summary>
    public required ValueList<ClaimedOutput> Outputs { get; init; }
    public long? Fuel { get; init; }
    public int? FuelTable { get; init; }
    public string? Result { get; init; }
    public BlobHash? StateDigest { get; init; }

    public static RunClaims Of(Receipt receipt) => new()
    {
        Error = receipt.Error?.Code,
        ExitCode = receipt.ExitCode,
        Outputs = Sorted(receipt.Outputs.Select(output => new ClaimedOutput(
            output.Name, output.Size, output.Blake3, output.Sha256, output.Truncated))),
        Fuel = receipt.Guest?.Fuel,
        FuelTable = receipt.Guest?.FuelTable,
        Result = receipt.Guest?.Result,
        StateDigest = receipt.Guest?.StateDigest,
    };

    /// <summary>Outputs in the order in which claims have them.</summary>
    public static ValueList<ClaimedOutput> Sorted(IEnumerable<ClaimedOutput> outputs) =>
        ValueList.From(outputs.OrderBy(output => output.Name, StringComparer.Ordinal));

    /// <summary>What stands for the claims where they themselves are too much to remember.</summary>
    internal Digest Digest => Digest.OfBytes(JsonSerializer.SerializeToUtf8Bytes(this, EventCodec.ClaimsJson));
}

/// <summary>An output as a receipt tells it, without its bytes.</summary>
public sealed record ClaimedOutput(string Name, long Size, BlobHash Blake3, Digest Sha256, bool Truncated)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Size} bytes, blake3 {Blake3}, sha256 {Sha256}{(Truncated ? ", cut at the limit" : "")}");
}

/// <summary>One thing in which a receipt and another run of its document differ.</summary>
/// <param name="What">A member of the claims, <c>output NAME</c>, or <c>checkpoint N of attempt M</c>.</param>
/// <param name="Claimed">What the receipt, or the checkpoint, says; <c>none</c> where it says nothing.</param>
/// <param name="Found">What the other run had.</param>
public sealed record RunDifference(string What, string Claimed, string Found)
{
    private const string None = "none";

    /// <summary>In which members two claims differ, outputs last.</summary>
    public static IEnumerable<RunDifference> Between(RunClaims claimed, RunClaims found)
    {
        (string What, string? Claimed, string? Found)[] members =
        [
            ("error", claimed.Error, found.Error),
            ("exit_code", Text(claimed.ExitCode), Text(found.ExitCode)),
            ("fuel", Text(claimed.Fuel), Text(found.Fuel)),
            ("fuel_table", Text(claimed.FuelTable), Text(found.FuelTable)),
            ("result", claimed.Result, found.Result),
            ("state_digest", claimed.StateDigest?.ToString(), found.StateDigest?.ToString()),
        ];
        foreach (var (what, one, other) in members.Where(member => member.Claimed != member.Found))
        {
            yield return new RunDifference(what, one ?? None, other ?? None);
        }

        // A name that stands twice is paired in order.
        foreach (var name in claimed.Outputs.Concat(found.Outputs).Select(output => output.Name)
            .Distinct().Order(StringComparer.Ordinal))
        {
            var (said, had) = (Named(claimed, name), Named(found, name));
            for (var i = 0; i < Math.Max(said.Count, had.Count); i++)
            {
                var (one, other) = (said.ElementAtOrDefault(i), had.ElementAtOrDefault(i));
                if (one != other)
                {
                    yield return new RunDifference($"output {name}", one?.ToString() ?? None, other?.ToString() ?? None);
                }
            }
        }
    }

    private static List<ClaimedOutput> Named(RunClaims claims, string name) =>
        [.. claims.Outputs.Where(output => output.Name == name)];

    private static string? Text<T>(T? number)
        where T : struct, IFormattable => number?.ToString(null, CultureInfo.InvariantCulture);
}
