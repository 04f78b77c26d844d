using System.Diagnostics;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>How one run of the command ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The output, if the exit code is as expected.</summary>
    public string With(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"Exit code {ExitCode}, not {exitCode}.\n{Output}\n{Errors}");
        return Output;
    }
}

/// <summary>The built command as a process of its own.</summary>
public static class Meshledger
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "meshledger");

    public static string Repository { get; } = FindRepository();

    public static Task<CommandResult> RunAsync(params string[] arguments) => RunAsync(arguments, input: null, []);

    public static async Task<CommandResult> RunAsync(
        string[] arguments, byte[]? input, Dictionary<string, string> environment, string? program = null)
    {
        var start = Start(arguments, environment, program);
        start.RedirectStandardInput = true;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (input is not null)
        {
            await process.StandardInput.BaseStream.WriteAsync(input);
        }

        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"meshledger {string.Join(' ', arguments)} did not end.");
        }

        return new CommandResult(process.ExitCode, await output, await errors);
    }

    internal static ProcessStartInfo Start(
        IEnumerable<string> arguments, Dictionary<string, string> environment, string? program = null)
    {
        var start = new ProcessStartInfo(program ?? Program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository,
        };
        start.Environment["NO_COLOR"] = "1";
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>Looks again and again until what is expected is so.</summary>
    public static async Task UntilAsync(Func<bool> isSo, string expected)
    {
        using var limit = new CancellationTokenSource(Patience);
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!isSo())
        {
            try
            {
                await pace.WaitForNextTickAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Expected within {Patience.TotalSeconds} s: {expected}");
            }
        }
    }

    private static string FindRepository()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"There is no MeshLedger.sln above {AppContext.BaseDirectory}.");
    }
}
