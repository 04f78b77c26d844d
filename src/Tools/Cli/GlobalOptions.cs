using System.CommandLine;

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

    public static Option<OutputFormat> Output { get; } = new("--output")
    {
        Description = "text for people; json is one document; jsonl is one object a line.",
        HelpName = "text|json|jsonl",
        Recursive = true,
        CustomParser = result => result.Tokens[0].Value switch
        {
            "text" => OutputFormat.Text,
            "json" => OutputFormat.Json,
            "jsonl" => OutputFormat.JsonLines,
            "sarif" => OutputFormat.Sarif,
            "csv" => OutputFormat.Csv,
            var other => Refuse(result, $"--output: expected text, json or jsonl, found '{other}'."),
        },
    };

    public static void AddTo(RootCommand root)
    {
        if (Output.CompletionSources.Count < 2)
        {
            Output.CompletionSources.Clear();
            Output.CompletionSources.Add("text", "json", "jsonl");
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

    private static OutputFormat Refuse(System.CommandLine.Parsing.ArgumentResult result, string message)
    {
        result.AddError(message);
        return OutputFormat.Text;
    }

    private static T? RefuseNumber<T>(System.CommandLine.Parsing.ArgumentResult result, string message)
        where T : struct
    {
        result.AddError(message);
        return null;
    }
}
