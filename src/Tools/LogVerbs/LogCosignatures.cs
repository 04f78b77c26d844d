using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.LogVerbs;

/// <summary>Which witnesses cosigned a head, of those who were named, and whose signatures nobody here can check.</summary>
internal sealed record LogCosignatures(IReadOnlyList<VerifiedSignature> Verified, IReadOnlyList<string> Others)
{
    public static Option<string[]> Witnesses { get; } = GlobalOptions.NotEmpty(new Option<string[]>("--witness")
    {
        Description = "The key of a witness whose cosignature counts, NAME+HEX+BASE64, as it tells it. May be given several times.",
        HelpName = "KEY",
        Arity = ArgumentArity.ZeroOrMore,
    });

    public static Option<int?> Quorum { get; } = GlobalOptions.Number(
        "--quorum", "How many of them must have cosigned the tree head (default: none).", 0, SignedNote.MaxSignatures);

    /// <exception cref="CommandFailure">A cosignature does not hold, or there are too few.</exception>
    public static LogCosignatures Check(Call call, SignedHead head, NoteKey log)
    {
        var witnesses = new List<NoteKey>();
        foreach (var given in call.Get(Witnesses) ?? [])
        {
            var witness = NoteKey.TryParse(given, out var key) && key!.Type == NoteKeyType.Cosignature ? key : throw new CommandFailure(
                ExitCodes.Usage, $"--witness: expected a witness's key, NAME+HEX+BASE64, found '{SafeText.Cut(given, 80)}'.");
            if (witnesses.Prepend(log).FirstOrDefault(one => one.Key == witness.Key && one != witness) is { } other)
            {
                throw new CommandFailure(
                    ExitCodes.Usage, $"--witness: {witness.Name} has the public key of {other.Name}: expected witnesses with keys of "
                    + "their own, which the log has not either.");
            }

            witnesses.Add(witness);
        }

        if (!head.Note.TryVerify([log, .. witnesses], out var verified))
        {
            throw new CommandFailure(ExitCodes.AuditFault, "the cosignature of a witness on its tree head does not hold.");
        }

        var counted = verified.Where(signature => signature.Key != log).DistinctBy(signature => signature.Key).ToList();
        if (counted.Count < (call.Get(Quorum) ?? 0))
        {
            throw new CommandFailure(
                ExitCodes.AuditFault, $"{counted.Count} of the witnesses that were named cosigned its tree head, not {call.Get(Quorum)}.");
        }

        return new LogCosignatures(
            counted,
            [.. head.Note.Signatures.Where(signature => signature.Name != head.Head.Origin
                && counted.All(one => one.Key.Name != signature.Name)).Select(signature => signature.Name).Distinct()]);
    }

    public JsonArray ToJson() => new([.. Verified.Select(one => new JsonObject
    {
        ["witness"] = one.Key.Name,
        ["time"] = TimeOf(one),
        ["verified"] = true,
    }), .. Others.Select(name => new JsonObject { ["witness"] = name, ["time"] = null, ["verified"] = false })]);

    public IEnumerable<string> Lines() =>
    [
        .. Verified.Select(one => $"Witness {one.Key.Name} cosigned the tree head at {TimeOf(one)}."),
        .. Others.Select(name => $"There is a signature by {name}, which was not checked: its key was not given (--witness)."),
    ];

    private static string TimeOf(VerifiedSignature signature) =>
        Timestamps.Write(DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(signature.Time, 0, 253_402_300_799)));
}
