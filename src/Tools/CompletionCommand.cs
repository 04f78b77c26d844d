using System.CommandLine;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools;

/// <summary><c>meshledger completion SHELL</c>: scripts that ask the command itself what may follow.</summary>
internal static class CompletionCommand
{
    private const string Bash =
        """
        # meshledger completion for bash. Load it: source <(meshledger completion bash)
        _meshledger() {
            local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}"
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "$word"))
        }
        complete -o default -F _meshledger meshledger
        """;

    private const string Zsh =
        """
        #compdef meshledger
        # meshledger completion for zsh. Load it: source <(meshledger completion zsh)
        _meshledger() {
            local -a found
            local line="${words[*]}"
            found=("${(@f)$(${words[1]} "[suggest:${#line}]" "$line" 2>/dev/null)}")
            if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
        }
        compdef _meshledger meshledger
        """;

    private const string Fish =
        """
        # meshledger completion for fish. Load it: meshledger completion fish | source
        function __meshledger_complete
            meshledger "[suggest:"(commandline -C)"]" (commandline -p) 2>/dev/null
        end
        complete -c meshledger -a '(__meshledger_complete)'
        """;

    private static readonly Argument<string> Shell = NewShell();

    public static Command Create() => new Verb(
        "completion", "Print a script that completes this command's verbs and options in your shell.",
        "source <(meshledger completion bash)", "meshledger completion fish | source")
    {
        Shell,
    }.Does(call =>
    {
        Console.Out.WriteLine(call.Get(Shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        });
        return Task.FromResult(ExitCodes.Ok);
    });

    private static Argument<string> NewShell()
    {
        // The parser's own list of what it accepts is told with line ends and tabs.
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.CompletionSources.Add("bash", "zsh", "fish");
        shell.Validators.Add(result =>
        {
            if (result.Tokens[0].Value is not ("bash" or "zsh" or "fish"))
            {
                result.AddError($"SHELL: expected bash, zsh or fish, found '{result.Tokens[0].Value}'.");
            }
        });
        return shell;
    }
}
