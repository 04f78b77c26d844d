using System.CommandLine;
using System.CommandLine.Parsing;

namespace MeshLedger.Tools.Cli;

/// <summary>The options that every verb takes.</summary>
internal static class GlobalOptions
{
    public static Option<string?> Data { get; } = new("--data")
    {
        Description = "The node's data directory (default: MESHLEDGER_DATA, else /var/lib/meshledger as root, "
            + "else ~/.local/share/meshledger).",
        HelpName = "DIR",
        Recursive = true,
    };

    public static Option<string?> Postgres { get; } = new("--postgres")
    {
        Description = "Connection string of a PostgreSQL server to use instead of the node's private one "
            + "(default: MESHLEDGER_POSTGRES, where a password is not seen by other users).",
        HelpName = "CONNECTION",
        Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHLEDGER_POSTGRES") is { Length: > 0 } given
            ? given
            : null,
    };

    /// <summary>What every verb writes.</summary>
    public static IReadOnlyList<string> Formats { get; } = ["text", "json", "jsonl"];

    public static Option<OutputFormat> Output { get; } = new("--output")
    {
        Description = Describe(Formats),
        HelpName = string.Join('|', Formats),
        Recursive = true,
        CustomParser = result => result.Tokens[0].Value switch
        {
            "text" => OutputFormat.Text,
            "json" => OutputFormat.Json,
            "jsonl" => OutputFormat.JsonLines,
            "sarif" => OutputFormat.Sarif,
            "csv" => OutputFormat.Csv,
            var other => Refuse(result, $"--output: expected {Expected(CommandOf(result))}, in lower case, found '{other}'."),
        },
    };

    public static void AddTo(RootCommand root)
    {
        if (Output.CompletionSources.Count < 2)
        {
            Output.CompletionSources.Clear();
            Output.CompletionSources.Add(context => Verb.FormatsOf(context.ParseResult.CommandResult.Command)
                .Select(format => new System.CommandLine.Completions.CompletionItem(format)));
        }

        if (Data.Validators.Count == 0)
        {
            NotEmpty(Data);
        }

        root.Options.Add(Data);
        root.Options.Add(Postgres);
        root.Options.Add(Output);
    }

    /// <summary>A whole number within limits.</summary>
    public static Option<T?> Number<T>(string name, string description, T least, T most)
        where T : struct, System.Numerics.INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result => T.TryParse(
                result.Tokens[0].Value, System.Globalization.CultureInfo.InvariantCulture, out var value)
                && value >= least && value <= most
                ? value
                : RefuseNumber<T>(result, $"{name}: expected a number from {least} to {most}, found "
                    + $"'{result.Tokens[0].Value}'."),
        };

    /// <summary>The option, whose values are then texts of at least one character, and at most so many.</summary>
    public static T NotEmpty<T>(T option, int most = int.MaxValue)
        where T : Option
    {
        option.Validators.Add(result =>
        {
            foreach (var length in result.Tokens.Select(token => token.Value.Trim().Length))
            {
                if (length == 0)
                {
                    result.AddError($"{option.Name}: expected a value that is not empty.");
                }
                else if (length > most)
                {
                    result.AddError($"{option.Name}: expected at most {most} characters, found {length}.");
                }
            }
        });
        return option;
    }

    /// <summary>What the formats are, for the help.</summary>
    public static string Describe(IReadOnlyList<string> formats) => string.Join("; ", formats.Select(format => format switch
    {
        "text" => "text for people",
        "json" => "json is one document",
        "jsonl" => "jsonl is one object a line",
        "csv" => "csv is for spreadsheets",
        _ => "sarif is what code scanners read",
    })) + ".";

    /// <summary>Before the verb nobody knows yet which it will be.</summary>
    private static string Expected(Command? command) => command is Verb
        ? Names.Or(Verb.FormatsOf(command))
        : $"{Names.Or(Formats)} (of query and report also csv, of audit sarif)";

    /// <summary>The command behind which the value stands, as far as it was read.</summary>
    private static Command? CommandOf(SymbolResult? result)
    {
        while (result is not (null or CommandResult))
        {
            result = result.Parent;
        }

        return (result as CommandResult)?.Command;
    }

    private static OutputFormat Refuse(ArgumentResult result, string message)
    {
        result.AddError(message);
        return OutputFormat.Text;
    }

    private static T? RefuseNumber<T>(ArgumentResult result, string message)
        where T : struct
    {
        result.AddError(message);
        return null;
    }
}
