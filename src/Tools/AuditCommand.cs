using System.CommandLine;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;
using MeshLedger.Projections;
using MeshLedger.Tools.Audits;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Npgsql;

namespace MeshLedger.Tools;

/// <summary><c>meshledger audit</c>: checks the ledger from its rows, offline too.</summary>
internal static class AuditCommand
{
    private static readonly Option<bool> Deep = new("--deep")
    {
        Description = "Build every projection again from the first event, too, and compare it row by row with what is stored.",
    };

    public static Command Create() => new Verb(
        "audit",
        "Check every digest, signature, cause, transition, selection and balance of the ledger from its rows alone, and that it "
        + "is an extension of every tree head that is known. Works while the node is down, too. Exit code 4 and a line for each "
        + "fault if something is not as it must be. --output sarif is for scanners' dashboards (SARIF 2.1.0).",
        "meshledger audit", "meshledger audit --since kept-head", "meshledger audit --job 3f0c8a1e-job",
        "meshledger audit --deep --output sarif")
    {
        GlobalOptions.NotEmpty(AuditInputs.Since),
        GlobalOptions.NotEmpty(AuditInputs.JobOption),
        GlobalOptions.NotEmpty(AuditInputs.Stream),
        Deep,
        GlobalOptions.NotEmpty(AuditInputs.Remember),
        GlobalOptions.NotEmpty(AuditInputs.Log),
        GlobalOptions.NotEmpty(AuditInputs.Key),
    }.AlsoWriting(OutputFormat.Sarif).Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var stream = AuditInputs.StreamOf(call);
        if (stream is not null && (call.Get(Deep) || call.Get(AuditInputs.Since) is not null))
        {
            throw new CommandFailure(ExitCodes.Usage, "--deep and --since are of the whole ledger: they do not go with --job or --stream.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var memory = stream is null ? AuditInputs.MemoryFile(call) : null;
        var options = await AuditInputs.OptionsAsync(call, ledger.Database, memory);
        var report = await AuditBar.RunAsync(call, "auditing", async report =>
        {
            var progress = report is null ? null : new Tell<AuditProgress>(at => report(at.Done, at.Total));
            return stream is { } one
                ? await StreamAudit.RunAsync(ledger.Database, options, one, progress, call.Stop)
                    ?? throw new CommandFailure(ExitCodes.NotFound, NotFound(one))
                : await LedgerAudit.RunAsync(ledger.Database, options, progress, call.Stop);
        });
        var compared = call.Get(Deep) ? await CompareAsync(call, ledger) : [];
        var faults = report.Faults.Concat(compared.SelectMany(Faults)).ToList();
        var result = new AuditResult(
            report, stream, options.VerifiedUpTo, compared, faults,
            report.FaultCount + compared.Sum(projection => projection.DifferenceCount));
        if (call.Output.Format == OutputFormat.Sarif)
        {
            call.Output.Document(AuditSarif.Of(result));
        }
        else
        {
            call.Output.Object(AuditText.Json(result), () => AuditText.Write(call.Output, result));
        }

        if (memory is not null && result.IsClean)
        {
            AuditInputs.Write(call, memory, report);
        }

        return result.IsClean ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    private static async Task<IReadOnlyList<ProjectionComparison>> CompareAsync(Call call, LedgerSession ledger)
    {
        var compared = new List<ProjectionComparison>();
        foreach (var projection in await ledger.Projections.ListAsync(call.Stop))
        {
            try
            {
                compared.Add(await AuditBar.RunAsync(call, $"building {projection.Name}", report => ledger.Projections.CompareAsync(
                    projection.Name,
                    report is null ? null : new Tell<long>(position => report(position, projection.Position)),
                    call.Stop)));
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction)
            {
                throw new CommandFailure(
                    ExitCodes.Failed, "--deep needs a server on which temporary tables can be made, and this one takes no writes.");
            }
        }

        return compared;
    }

    private static IEnumerable<AuditFault> Faults(ProjectionComparison projection) => projection.Differences.Select(
        difference => new AuditFault(
            "wrong_projection", difference.Stream, 0, difference.Position, difference.Expected, difference.Found)
        {
            Table = projection.Name,
            Key = difference.Key.Length > 0 ? difference.Key : null,
        });

    private static string NotFound(StreamId stream) => stream.IsJob(out var job)
        ? $"there is no job '{job}'."
        : $"there is no stream '{stream}'.";
}
