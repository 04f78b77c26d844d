using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Domain;
using MeshLedger.Domain.Documents;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job submit</c>: validates job files and puts them into the node's inbox.</summary>
internal static class JobSubmitCommand
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "Job files; - is standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until every job has ended." };

    public static Command Create() => new Verb(
        "submit",
        "Validate job files, then put them into the node's inbox. When no node runs, they wait there for its next start.",
        "meshledger job submit examples/jobs/echo.json --wait", "generate-job | meshledger job submit -")
    {
        Files, Wait,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        // All are read before any is submitted: a mistake in the last file must not leave half of them running.
        var documents = new List<(string File, JobDocument Document)>();
        var valid = true;
        foreach (var file in call.Get(Files)!)
        {
            var reading = JobDocumentReader.Read(await ReadAsync(file, call.Stop));
            foreach (var fault in reading.Faults)
            {
                valid = false;
                Messages.Say($"{file}: {fault}");
            }

            if (reading.Document is { } document)
            {
                documents.Add((file, document));
            }
        }

        if (!valid)
        {
            throw new CommandFailure(ExitCodes.Failed, "nothing was submitted.");
        }

        var folder = call.Data.ReadRecord()?.Folder ?? call.Data.DefaultFolder;
        var running = call.Data.IsHeld();
        var ids = new UlidFactory(TimeProvider.System, RandomNumberGenerator.Fill);
        var dropped = new List<WaitedJob>();
        foreach (var (_, document) in documents)
        {
            dropped.Add(new WaitedJob(document.JobId, new DroppedFile(folder, Drop(folder, document, ids.New()))));
        }

        if (!running)
        {
            Messages.Say($"No node runs on {call.Data.Root}; its next start takes these jobs up: meshledger up");
        }

        if (call.Get(Wait))
        {
            return running
                ? await JobWaiting.RunAsync(call, dropped, limit: null)
                : throw new CommandFailure(ExitCodes.Failed, "there is nothing to wait for while no node runs.");
        }

        var rows = dropped.Zip(documents, (job, source) => new JsonObject
        {
            ["job_id"] = job.JobId.ToString(),
            ["file"] = source.File,
            ["inbox_file"] = Path.Combine(folder, "inbox", job.File!.Name),
        }).ToList();
        if (call.Output.IsText)
        {
            rows.ForEach(row => call.Output.Line(row.Text("job_id")));
            return ExitCodes.Ok;
        }

        call.Output.Rows(rows, [], "");
        return ExitCodes.Ok;
    }

    private static async Task<byte[]> ReadAsync(string file, CancellationToken cancellationToken)
    {
        await using var stream = file == "-"
            ? Console.OpenStandardInput()
            : new FileStream(file, FileMode.Open, FileAccess.Read);
        var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int count;

        // One byte more than is allowed is enough for the reader to say so.
        while (bytes.Length <= JobDocument.MaxBytes && (count = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            bytes.Write(buffer, 0, count);
        }

        return bytes.ToArray();
    }

    private static string Drop(string folder, JobDocument document, Ulid id)
    {
        var inbox = Path.Combine(folder, "inbox");
        Directory.CreateDirectory(inbox);
        var name = $"{id}.json";
        var temporary = Path.Combine(inbox, $".{name}.tmp");
        using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
        {
            file.Write(document.Bytes.Span);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, Path.Combine(inbox, name));
        return name;
    }
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
