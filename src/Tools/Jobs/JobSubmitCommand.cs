using System.CommandLine;
using System.Text.Json.Nodes;
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

        var inbox = new JobInbox(call);
        var dropped = documents.Select(source => inbox.Drop(source.Document)).ToList();
        inbox.SayIfUnwatched();
        if (call.Get(Wait))
        {
            return await inbox.WaitAsync(dropped);
        }

        var rows = dropped.Zip(documents, (job, source) => new JsonObject
        {
            ["job_id"] = job.JobId.ToString(),
            ["file"] = source.File,
            ["inbox_file"] = inbox.PathOf(job),
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
}
