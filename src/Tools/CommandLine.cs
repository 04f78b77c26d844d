using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using MeshLedger.Tools.Blobs;
using MeshLedger.Tools.Bundles;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Jobs;
using MeshLedger.Tools.LogVerbs;
using MeshLedger.Tools.Queries;
using MeshLedger.Tools.Replay;
using MeshLedger.Tools.Reports;
using MeshLedger.Tools.Workers;

namespace MeshLedger.Tools;

/// <summary>All verbs of the command, in one visible table.</summary>
internal static class CommandLine
{
    /// <summary>An argument that begins with @ is an argument: verbs that read files say so themselves, and a name may
    /// begin so, too.</summary>
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };

    public static async Task<int> RunAsync(string[] args)
    {
        var root = Root();
        var parsed = root.Parse(args, Parsing);
        if (parsed.Action is ParseErrorAction mistake)
        {
            var errors = parsed.Errors.Select(error => error.Message).Distinct().ToList();
            var said = errors.Where(error => !error.StartsWith("Required command", StringComparison.Ordinal)).ToList();
            Messages.Say($"meshledger: {string.Join(" ", said.Count > 0 ? said : errors)}{await MeantAsync(parsed, mistake)}");
            Messages.Say(Verb.HelpOf(parsed));
            return ExitCodes.Usage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    /// <summary>What may have been meant, as the parser guesses it.</summary>
    private static async Task<string> MeantAsync(ParseResult parsed, ParseErrorAction mistake)
    {
        mistake.ShowHelp = false;
        var (output, errors) = (new StringWriter(), new StringWriter());
        await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = errors });

        // For each word that it does not know a line in quotes, and lines with what is near; of options only for options.
        var (meant, word) = (new List<string>(), "");
        foreach (var line in output.ToString().Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.IndexOf("' was not matched.", StringComparison.Ordinal) is var end and > 0)
            {
                word = line[1..end];
            }
            else if (word.Length > 0 && line.Length > 0 && word.StartsWith('-') == line.StartsWith('-') && !meant.Contains(line))
            {
                meant.Add(line);
            }
        }

        return meant.Count == 0 ? "" : $" Did you mean: {string.Join(", ", meant)}?";
    }

    private static RootCommand Root()
    {
        var root = new RootCommand(
            "Runs VM jobs on machines that need not trust each other, and keeps a signed history that anyone can audit.")
        {
            UpCommand.Create(),
            new Command("job", "Submit jobs, follow them, and end them.")
            {
                JobSubmitCommand.Create(),
                JobListCommand.Create(),
                JobShowCommand.Create(),
                JobWhyCommand.Create(),
                JobHistoryCommand.Create(),
                JobWatchCommand.Create(),
                JobLogsCommand.Create(),
                JobOutputsCommand.Create(),
                JobWaitCommand.Create(),
                JobCancelCommand.Create(),
                DeadLetterCommands.Create(),
            },
            ReplayCommand.Create(),
            StateCommand.Create(),
            BlobCommands.Create(),
            WorkerCommands.Create(),
            ReputationCommands.Create(),
            FederationCommands.Create(),
            AidCommands.Create(),
            AccountCommands.Create(),
            KeyCommands.Create(),
            LogCommands.Create(),
            WitnessCommand.Create(),
            ExportCommand.Create(),
            VerifyCommand.Create(),
            QueryCommand.Create(),
            ReportCommand.Create(),
            AuditCommand.Create(),
            ProjectionsCommands.Create(),
            CompletionCommand.Create(),
        };
        GlobalOptions.AddTo(root);
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }
}
