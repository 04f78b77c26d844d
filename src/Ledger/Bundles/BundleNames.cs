using System.Globalization;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Bundles;

// A bundle is a tar of these entries, sorted by the bytes of their names, each there once:
//     attestations/N.intoto.jsonl   what is attested in the receipt at position N: canonical JSON, and a newline
//     blobs/HASH                    a blob
//     bundle.json                   what the bundle holds (BundleIndex)
//     checkpoint                    the log's signed tree head, as it was published
//     documents/N.json              the document of the submission at position N, byte for byte
//     events/N.json                 the statement of the event at position N, canonical JSON
//     keys.json                     whose keys signed the events
//     proofs/N.tlog-proof           that the log holds this event: its entry, with the author's signature, and the path
// Every byte is either signed, or follows from what is. Checked by BundleTests and BundleMutationTests.

/// <summary>What an entry is, by its name.</summary>
internal enum BundleEntryKind
{
    Attestation,
    Blob,
    Index,
    Head,
    Document,
    Event,
    Keys,
    Proof,
}

/// <summary>The names of entries, and the limits that hold before anything is believed.</summary>
internal static class BundleNames
{
    public const string Index = "bundle.json";
    public const string Head = "checkpoint";
    public const string Keys = "keys.json";

    /// <summary>The most entries, and the most bytes of all that is no blob.</summary>
    public const int MaxEntries = 500_000;
    public const long MaxBytes = 512L << 20;

    private const string BlobFolder = "blobs/";

    private static readonly (string Folder, string Ending, BundleEntryKind Kind)[] Numbered =
    [
        ("attestations/", ".intoto.jsonl", BundleEntryKind.Attestation),
        ("documents/", ".json", BundleEntryKind.Document),
        ("events/", ".json", BundleEntryKind.Event),
        ("proofs/", ".tlog-proof", BundleEntryKind.Proof),
    ];

    public static string Of(BundleEntryKind kind, long position)
    {
        var (folder, ending, _) = Array.Find(Numbered, one => one.Kind == kind);
        return string.Create(CultureInfo.InvariantCulture, $"{folder}{position}{ending}");
    }

    public static string Of(BlobHash blob) => $"{BlobFolder}{blob}";

    /// <summary>Reads a name; false for any that a bundle does not have, paths out of it among them.</summary>
    public static bool TryRead(string name, out BundleEntryKind kind, out long position, out BlobHash blob)
    {
        (position, blob) = (0, default);
        kind = name switch
        {
            Index => BundleEntryKind.Index,
            Head => BundleEntryKind.Head,
            Keys => BundleEntryKind.Keys,
            _ => BundleEntryKind.Blob,
        };
        if (kind != BundleEntryKind.Blob)
        {
            return true;
        }

        if (name.StartsWith(BlobFolder, StringComparison.Ordinal))
        {
            return BlobHash.TryParse(name.AsSpan(BlobFolder.Length), out blob);
        }

        foreach (var (folder, ending, numbered) in Numbered)
        {
            if (name.StartsWith(folder, StringComparison.Ordinal) && name.EndsWith(ending, StringComparison.Ordinal)
                && name.Length > folder.Length + ending.Length
                && long.TryParse(
                    name.AsSpan(folder.Length, name.Length - folder.Length - ending.Length), NumberStyles.None,
                    CultureInfo.InvariantCulture, out position)
                && position > 0 && Of(numbered, position) == name)
            {
                kind = numbered;
                return true;
            }
        }

        return false;
    }
}
