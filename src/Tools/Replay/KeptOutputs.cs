using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Tools.Replay;

/// <summary>Outputs of a run as files of a directory that nobody else had anything in.</summary>
internal static class KeptOutputs
{
    /// <summary>The longest name that file systems here take.</summary>
    private const int MaxNameBytes = 255;

    /// <exception cref="CommandFailure">It is there already, with something in it.</exception>
    public static string Prepare(string path)
    {
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new CommandFailure(ExitCodes.Usage, $"--keep: {path} is there already: expected a new directory.");
        }

        return Directory.CreateDirectory(path).FullName;
    }

    public static async Task WriteAsync(
        string folder, IReadOnlyList<OperationOutput> outputs, CancellationToken cancellationToken)
    {
        foreach (var output in outputs)
        {
            // The name is a guest's own: what is no plain relative path is kept under its content's name.
            var parts = output.Name.Split('/');
            var isPlain = parts.All(part => part is not ("" or "." or "..") && !part.Any(char.IsControl)
                && Encoding.UTF8.GetByteCount(part) <= MaxNameBytes);
            var path = Path.Combine([folder, .. isPlain ? parts : [Blake3.Hash(output.Bytes.Span).ToString()]]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, output.Bytes, cancellationToken);
        }
    }
}
