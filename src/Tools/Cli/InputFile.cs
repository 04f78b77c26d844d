namespace MeshLedger.Tools.Cli;

/// <summary>Files that somebody named for a verb to read: what is wrong with them is told in the same words, and with the
/// same exit code, by all verbs.</summary>
internal static class InputFile
{
    public const string StandardInput = "-";

    /// <exception cref="CommandFailure">There is no such file, or it is a directory.</exception>
    public static Stream Open(string file)
    {
        if (Directory.Exists(file))
        {
            throw new CommandFailure(ExitCodes.Usage, $"{file} is a directory: expected a file.");
        }

        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CommandFailure(ExitCodes.NotFound, Missing(file));
        }
    }

    /// <summary>A file, or standard input for <c>-</c>.</summary>
    /// <inheritdoc cref="Open"/>
    public static Stream OpenOrInput(string file) => file == StandardInput ? Console.OpenStandardInput() : Open(file);

    /// <inheritdoc cref="OpenOrInput"/>
    public static async Task<string> ReadTextAsync(string file, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(OpenOrInput(file));
        return await reader.ReadToEndAsync(cancellationToken);
    }

    public static string Missing(string file) => $"there is no file {file}";
}
