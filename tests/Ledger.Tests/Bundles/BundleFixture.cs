using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Ledger.Tests.Transparency;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Testing;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>A story in a database and in a published log, whose head a witness cosigned.</summary>
public sealed class BundleFixture : IAsyncLifetime
{
    private LogFixture _log = null!;
    private SignedHead _head = null!;

    public LedgerStory Story { get; private init; } = new LedgerStory().Tell();

    /// <summary>The log is the one whose key was handed over in the story.</summary>
    public bool IsHandedOver { get; private init; }

    /// <summary>Whose hand-overs an export brings along.</summary>
    public StreamId? HandOvers { get; set; }

    public NoteKey Log => (IsHandedOver ? HandedOver : _log.Options).NoteKey;

    public SigningKey WitnessKey { get; } = SigningKey.Generate();

    public NoteKey Witness => new("witness.example/w", NoteKeyType.Cosignature, WitnessKey.Did);

    private LogOptions HandedOver => _log.Options with
    {
        Origin = LedgerStory.LogName,
        Key = LedgerStory.LogKeys[1],
        FindKey = did => LedgerStory.LogKeys.SingleOrDefault(key => key.Did == did),
    };

    public BundlePolicy Policy => new() { Logs = [Log] };

    /// <summary>A ledger of its own, in which something is told wrongly.</summary>
    public static async Task<BundleFixture> OfAsync(LedgerStory story)
    {
        var fixture = new BundleFixture { Story = story };
        await fixture.InitializeAsync();
        return fixture;
    }

    public static async Task<BundleFixture> OfHandedOverAsync()
    {
        var fixture = new BundleFixture { IsHandedOver = true, HandOvers = StreamId.OfLog(LedgerStory.LogName) };
        await fixture.InitializeAsync();
        return fixture;
    }

    public async Task InitializeAsync()
    {
        _log = await LogFixture.CreateAsync();
        await Story.AppendAsync(_log.Store);
        var head = await _log.PublishAsync(IsHandedOver ? HandedOver : null);
        _head = head with { Note = head.Note.With(Witness, WitnessKey, 1_800_000_000) };
    }

    public async Task DisposeAsync() => await _log.DisposeAsync();

    public async Task<byte[]> ExportAsync(params string[] jobs) => await ExportWithAsync([], jobs);

    public async Task<byte[]> ExportWithAsync(Dictionary<BlobHash, byte[]> blobs, params string[] jobs)
    {
        var events = await BundleSelection.LoadAsync(_log.Store, jobs.Select(JobId.Parse), HandOvers, CancellationToken.None);
        using var archive = new MemoryStream();
        await new BundleWriter(_log.Source, _head, Log).WriteAsync(
            archive,
            events,
            blobs.ToDictionary(
                blob => blob.Key, blob => ((long)blob.Value.Length, new Func<Stream>(() => new MemoryStream(blob.Value)))),
            CancellationToken.None);
        return archive.ToArray();
    }

    public async Task<BundleReport> VerifyAsync(byte[] bundle, BundlePolicy? policy = null) =>
        await BundleVerifier.VerifyAsync(new MemoryStream(bundle), policy ?? Policy, CancellationToken.None);
}

/// <summary>The entries of an archive, to be put together another way.</summary>
internal sealed class Archive
{
    public List<(string Name, byte[] Bytes)> Entries { get; } = [];

    public static Archive Of(byte[] bundle)
    {
        var archive = new Archive();
        for (var at = 0; UstarHeader.TryRead(bundle.AsSpan(at, UstarHeader.BlockSize), out var name, out var size);)
        {
            at += UstarHeader.BlockSize;
            archive.Entries.Add((name, bundle[at..(at + (int)size)]));
            at += (int)size + UstarHeader.Padding(size);
        }

        return archive;
    }

    public byte[] this[string name]
    {
        get => Entries.Single(entry => entry.Name == name).Bytes;
        set => Entries[Entries.FindIndex(entry => entry.Name == name)] = (name, value);
    }

    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        foreach (var (name, bytes) in Entries)
        {
            stream.Write(UstarHeader.Write(name, bytes.Length));
            stream.Write(bytes);
            stream.Write(new byte[UstarHeader.Padding(bytes.Length)]);
        }

        stream.Write(new byte[2 * UstarHeader.BlockSize]);
        return stream.ToArray();
    }
}
