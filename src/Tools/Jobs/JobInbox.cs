using System.Security.Cryptography;
using System.Text.Json;
using MeshLedger.Domain;
using MeshLedger.Domain.Documents;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary>The inbox of this data directory's node, as those who bring jobs see it.</summary>
internal sealed class JobInbox(Call call)
{
    private readonly UlidFactory _ids = new(TimeProvider.System, RandomNumberGenerator.Fill);

    public string Folder { get; } = call.Data.ReadRecord()?.Folder ?? call.Data.DefaultFolder;

    /// <summary>Whether somebody takes up at once what lies in it.</summary>
    public bool IsWatched { get; } = call.Data.IsHeld();

    /// <summary>Puts a document in, whole or not at all.</summary>
    public WaitedJob Drop(JobDocument document)
    {
        var inbox = Path.Combine(Folder, "inbox");
        Directory.CreateDirectory(inbox);
        var name = $"{_ids.New()}.json";
        var temporary = Path.Combine(inbox, $".{name}.tmp");
        using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
        {
            file.Write(document.Bytes.Span);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, Path.Combine(inbox, name));
        return new WaitedJob(document.JobId, new DroppedFile(Folder, name));
    }

    public string PathOf(WaitedJob job) => Path.Combine(Folder, "inbox", job.File!.Name);

    /// <summary>Says that nobody takes the jobs up now, if that is so.</summary>
    public void SayIfUnwatched()
    {
        if (!IsWatched)
        {
            Messages.Say($"No node runs on {call.Data.Root}; its next start takes these jobs up: meshledger up");
        }
    }

    /// <exception cref="CommandFailure">No node runs.</exception>
    public Task<int> WaitAsync(IReadOnlyList<WaitedJob> dropped) => IsWatched
        ? JobWaiting.RunAsync(call, dropped, limit: null)
        : throw new CommandFailure(ExitCodes.Failed, "there is nothing to wait for while no node runs.");
}

/// <summary>A job file that was put into a folder's inbox, and where its answer will lie.</summary>
internal sealed record DroppedFile(string Folder, string Name)
{
    /// <summary>True: it succeeded; false: it did not; null: no answer yet.</summary>
    public bool? Answer =>
        File.Exists(Path.Combine(Folder, "done", Name)) ? true
        : File.Exists(Path.Combine(Folder, "failed", Name)) ? false
        : null;

    /// <summary>Why it failed, from the error file.</summary>
    public string? Reason()
    {
        var path = Path.Combine(Folder, "failed", $"{Name}.error.json");
        try
        {
            using var error = JsonDocument.Parse(File.ReadAllBytes(path));
            string? Text(string name) =>
                error.RootElement.TryGetProperty(name, out var value) ? value.ToString() : null;
            return $"{Text("code")}: {Text("message")}";
        }
        catch (Exception exception) when (exception is IOException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
