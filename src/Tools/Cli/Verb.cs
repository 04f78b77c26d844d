using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MeshLedger.Blobs;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger;
using MeshLedger.Machines;
using Microsoft.Extensions.Options;
using Npgsql;

namespace MeshLedger.Tools.Cli;

/// <summary>A command that does something: its examples stand in its help, and its expected failures end in one line.
/// </summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>The format beside those that every verb has; null: there is none, and others are refused.</summary>
    public OutputFormat? AlsoWrites { get; private set; }

    /// <summary>What <c>--output</c> may be for a command.</summary>
    public static IReadOnlyList<string> FormatsOf(Command? command) => (command as Verb)?.AlsoWrites switch
    {
        OutputFormat.Csv => [.. GlobalOptions.Formats, "csv"],
        OutputFormat.Sarif => [.. GlobalOptions.Formats, "sarif"],
        _ => GlobalOptions.Formats,
    };

    public Verb AlsoWriting(OutputFormat format)
    {
        AlsoWrites = format;
        return this;
    }

    public Verb Does(Func<Call, Task<int>> work)
    {
        SetAction((parsed, _) => GuardAsync(parsed, work));
        return this;
    }

    /// <summary>Where to read how the command that was typed is used.</summary>
    public static string HelpOf(ParseResult parsed)
    {
        var names = new List<string>();
        for (SymbolResult? at = parsed.CommandResult; at is not null; at = at.Parent)
        {
            if (at is CommandResult { Command: var command })
            {
                names.Insert(0, command is RootCommand ? "meshledger" : command.Name);
            }
        }

        return $"See: {string.Join(' ', names)} --help";
    }

    private async Task<int> GuardAsync(ParseResult parsed, Func<Call, Task<int>> work)
    {
        using var signals = new StopSignals();
        using var call = new Call(parsed, signals);
        var exitCode = await TryAsync(parsed, call, signals, work);
        try
        {
            call.Output.Flush();
            return exitCode;
        }
        catch (IOException failure)
        {
            // Whoever reads the output has not got all of it, whatever the verb itself came to; a worse end stays what it was.
            var failed = Fail(ExitCodes.Failed, $"the answer could not be written: {failure.Message}");
            return exitCode == ExitCodes.Ok ? failed : exitCode;
        }
    }

    private async Task<int> TryAsync(ParseResult parsed, Call call, StopSignals signals, Func<Call, Task<int>> work)
    {
        try
        {
            if (call.Output.Format is (OutputFormat.Csv or OutputFormat.Sarif) and var format && format != AlsoWrites)
            {
                throw new CommandFailure(
                    ExitCodes.Usage,
                    $"--output: expected {Names.Or(FormatsOf(this))}, found "
                    + $"{(format == OutputFormat.Csv ? "'csv', which is for query and report" : "'sarif', which is for audit")} alone.");
            }

            return await work(call);
        }
        catch (CommandFailure failure)
        {
            var exitCode = Fail(failure.ExitCode, failure.Message);
            if (exitCode == ExitCodes.Usage)
            {
                Messages.Say(HelpOf(parsed));
            }

            return exitCode;
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            return Fail(ExitCodes.Failed, "stopped");
        }
        catch (FileNotFoundException failure) when (failure.FileName is not null)
        {
            return Fail(ExitCodes.NotFound, InputFile.Missing(failure.FileName));
        }
        catch (Exception failure) when (failure is BlobNotFoundException or DirectoryNotFoundException)
        {
            return Fail(ExitCodes.NotFound, failure.Message);
        }
        catch (PostgresException failure)
        {
            return Fail(ExitCodes.Failed, $"the database refused: {failure.MessageText} ({failure.SqlState}). "
                + "Check its permissions, and --postgres if it was given.");
        }
        catch (NpgsqlException failure)
        {
            var server = call.Postgres is { } given ? $" at {LedgerDatabase.NameOf(given)}" : "";
            return Fail(
                ExitCodes.Failed, $"the database{server} was not reached: {LedgerDatabase.Explain(failure)}. "
                + "Check --postgres if it was given.");
        }
        catch (InvalidHistoryException failure)
        {
            // Whoever reads events checks them, so this is a fault that was found, whatever was asked for.
            return Fail(ExitCodes.AuditFault, failure.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException
            or MachinesUnavailableException or OptionsValidationException
            or InvalidOperationException)
        {
            return Fail(ExitCodes.Failed, failure.Message);
        }
    }

    private static int Fail(int exitCode, string message)
    {
        Messages.Say($"meshledger: {message}");
        return exitCode;
    }
}

/// <summary>The help as it comes, with examples and exit codes below.</summary>
internal sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
{
    private const int PipedWidth = 100;

    public override int Invoke(ParseResult parseResult)
    {
        try
        {
            return Write(parseResult);
        }
        catch (IOException failure)
        {
            Messages.Say($"meshledger: the help could not be written: {failure.Message}");
            return ExitCodes.Failed;
        }
    }

    private int Write(ParseResult parseResult)
    {
        var (command, output) = (parseResult.CommandResult.Command, parseResult.InvocationConfiguration.Output);
        GlobalOptions.Output.HelpName = string.Join('|', Verb.FormatsOf(command));
        GlobalOptions.Output.Description = GlobalOptions.Describe(Verb.FormatsOf(command));
        help.MaxWidth = Console.IsOutputRedirected ? PipedWidth : Math.Max(60, Console.WindowWidth);
        var code = help.Invoke(parseResult);
        if (command is Verb { Examples: { Count: > 0 } examples })
        {
            output.WriteLine("Examples:");
            foreach (var example in examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        output.WriteLine($"Exit codes: {ExitCodes.Text}.");
        return code;
    }
}
