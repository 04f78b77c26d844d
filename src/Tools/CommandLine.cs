using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Jobs;

namespace MeshLedger.Tools;

/// <summary>All verbs of the command, in one visible table.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        var root = Root();
        var parsed = root.Parse(args);
        if (parsed.Action is ParseErrorAction mistake)
        {
            // Which mistake it is, and perhaps what was meant; the whole help only when asked for.
            mistake.ShowHelp = false;
            var errors = new StringWriter();
            await parsed.InvokeAsync(new InvocationConfiguration { Output = errors, Error = errors });
            var said = errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            Messages.Say($"meshledger: {string.Join(" ", said.Distinct())}");
            Messages.Say($"See: {PathOf(parsed.CommandResult)} --help");
            return ExitCodes.Usage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static RootCommand Root()
    {
        var root = new RootCommand(
            "Runs VM jobs on machines that need not trust each other, and keeps a signed history that anyone can audit.")
        {
            UpCommand.Create(),
            new Command("job", "Submit jobs and follow them.")
            {
                JobSubmitCommand.Create(),
                JobListCommand.Create(),
                JobShowCommand.Create(),
                JobHistoryCommand.Create(),
                JobWaitCommand.Create(),
            },
            BlobCommands.Create(),
            new Command("worker", "See the workers.") { WorkerListCommand.Create() },
            new Command("account", "See who has how much mana.") { AccountShowCommand.Create() },
            KeyCommands.Create(),
            AuditCommand.Create(),
            ProjectionsCommands.Create(),
            CompletionCommand.Create(),
        };
        GlobalOptions.AddTo(root);
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }

    private static string PathOf(System.CommandLine.Parsing.CommandResult result)
    {
        var names = new List<string>();
        for (System.CommandLine.Parsing.SymbolResult? at = result; at is not null; at = at.Parent)
        {
            if (at is System.CommandLine.Parsing.CommandResult { Command: var command })
            {
                names.Insert(0, command is RootCommand ? "meshledger" : command.Name);
            }
        }

        return string.Join(' ', names);
    }
}
