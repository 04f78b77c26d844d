using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Workers;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Hosting;

/// <summary>The keys of a data directory that verbs sign with.</summary>
internal static class SignerKeys
{
    /// <summary>Whose jobs the node of this directory submits.</summary>
    /// <exception cref="CommandFailure">There is no such key here.</exception>
    public static EventAuthor Submitter(DataDirectory data) => new(Load(data.KeyFile("submitter"), data), TimeProvider.System);

    /// <summary>The key of a file that was named, or, without a name, of this directory.</summary>
    public static EventAuthor Named(string? file, string name, DataDirectory data) =>
        new(Key(file, name, data), TimeProvider.System);

    /// <inheritdoc cref="Named"/>
    public static SigningKey Key(string? file, string name, DataDirectory data) =>
        file is null ? Load(data.KeyFile(name), data) : Given(file);

    /// <summary>A worker's own key, or, where it may speak for the worker, too, its owner's.</summary>
    /// <exception cref="CommandFailure">Neither is here.</exception>
    public static EventAuthor Of(WorkerRegistration worker, bool alsoOwner, string? file, DataDirectory data)
    {
        var keys = file is null ? Files(data).Select(path => Load(path, data)).ToList() : [Given(file)];
        var owner = alsoOwner ? worker.Facts.Owner : null;
        var found = keys.Find(key => key.Did == worker.Worker) ?? keys.Find(key => key.Did == owner);
        return found is not null
            ? new EventAuthor(found, TimeProvider.System)
            : throw new CommandFailure(
                ExitCodes.Failed, $"{(file is null ? $"{data.Keys} holds" : $"{file} is")} neither the key of worker "
                + $"{worker.Facts.WorkerId} ({worker.Worker}) nor its owner's. Run this where one of them is, or give --key.");
    }

    /// <summary>The key files that are here, by name.</summary>
    public static IReadOnlyList<string> Files(DataDirectory data) => Directory.Exists(data.Keys)
        ? [.. Directory.GetFiles(data.Keys, "*.key").Order(StringComparer.Ordinal)]
        : [];

    /// <summary>The key of a file that was named.</summary>
    private static SigningKey Given(string file) => File.Exists(file)
        ? SigningKey.Load(file)
        : throw new CommandFailure(ExitCodes.NotFound, InputFile.Missing(file));

    private static SigningKey Load(string path, DataDirectory data) => File.Exists(path)
        ? SigningKey.Load(path)
        : throw new CommandFailure(
            ExitCodes.NotFound, $"there is no key {path}. The first meshledger up makes the keys of {data.Root}; "
            + "meshledger key new makes others.");
}
