using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Postgres;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Npgsql;

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

        var known = await KnownAsync(call, documents);
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
            ["known"] = known.GetValueOrDefault(job.JobId)?.Status.Name(),
        }).ToList();
        if (call.Output.IsText)
        {
            rows.ForEach(row => call.Output.Line(row.Text("job_id")));
            return ExitCodes.Ok;
        }

        call.Output.Rows(rows, [], "");
        return ExitCodes.Ok;
    }

    /// <summary>The jobs that the ledger has already, told to people: what is dropped again changes nothing, and would
    /// otherwise look as if it did.</summary>
    private static async Task<Dictionary<JobId, JobState>> KnownAsync(
        Call call, List<(string File, JobDocument Document)> documents)
    {
        var known = new Dictionary<JobId, JobState>();
        if (call.Postgres is null && (!call.Data.IsHeld()
            || await PrivatePostgres.FindRunningAsync(call.Data.Root, call.Stop) is null))
        {
            return known;
        }

        try
        {
            await using var ledger = await LedgerSession.OpenAsync(call);
            foreach (var row in await Sql.RowsAsync(
                ledger.Database, "SELECT id FROM mt_streams WHERE id = ANY ($1)",
                [documents.Select(source => StreamId.OfJob(source.Document.JobId).ToString()).ToArray()], call.Stop))
            {
                if (StreamId.Parse(row.Text("id")).IsJob(out var job) && await ledger.LoadJobAsync(job, call.Stop) is { } state)
                {
                    known[job] = state;
                }
            }
        }
        catch (NpgsqlException)
        {
            // To submit a job takes the inbox alone; the node takes it up when its database is back.
            return [];
        }

        foreach (var (file, document) in documents)
        {
            if (call.Output.IsText && known.TryGetValue(document.JobId, out var state))
            {
                Messages.Say($"{file}: {Told(document, state)}");
            }
        }

        return known;
    }

    private static string Told(JobDocument document, JobState state) =>
        state.Submission.DocumentSha256 != document.Sha256
            ? $"job {document.JobId} is known with other content; this one will be refused: JOB_ID_TAKEN."
            : $"job {document.JobId} is known already: {state.Status.Name()}." + (state.Status == JobStatus.Failed
                ? $" To run it again: meshledger job dead redrive {document.JobId}"
                : "");

    private static async Task<byte[]> ReadAsync(string file, CancellationToken cancellationToken)
    {
        await using var stream = InputFile.OpenOrInput(file);
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
