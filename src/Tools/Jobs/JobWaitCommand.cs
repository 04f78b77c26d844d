using System.CommandLine;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job wait</c>.</summary>
internal static class JobWaitCommand
{
    private static readonly Argument<string[]> Ids = new("ID") { Description = "Jobs.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<double?> Limit = GlobalOptions.Number(
        "--timeout", "Give up after this many seconds (exit code 1).", 0.0, 31_536_000.0);

    public static Command Create() => new Verb(
        "wait",
        "Wait until jobs have ended, showing how far they are. Exit code 1 if one of them failed or was cancelled.",
        "meshledger job wait echo-example-001", "meshledger job wait echo-example-001 hello-example-001 --timeout 60")
    {
        Ids, Limit,
    }.Does(call => JobWaiting.RunAsync(
        call,
        [.. call.Get(Ids)!.Distinct().Select(id => new WaitedJob(ParseId(id)))],
        call.Get(Limit) is { } seconds ? TimeSpan.FromSeconds(seconds) : null));

    /// <exception cref="CommandFailure">The text is no job id.</exception>
    public static JobId ParseId(string text) => JobId.TryParse(text, out var id)
        ? id
        : throw new CommandFailure(ExitCodes.Usage, $"'{text}' is no job id: expected {JobId.Expected}.");
}
