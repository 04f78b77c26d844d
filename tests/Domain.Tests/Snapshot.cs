using System.Text;
using MeshLedger.Domain.Tests.Documents;

namespace MeshLedger.Domain.Tests;

/// <summary>Compares a text with what was approved before, in a file beside the test. With
/// MESHLEDGER_WRITE_SNAPSHOTS=1 the file is written anew, to be looked at before it is committed.</summary>
internal static class Snapshot
{
    /// <param name="path">Below tests/Domain.Tests, such as <c>Jobs/completed.verified.json</c>.</param>
    public static void Matches(string path, ReadOnlySpan<byte> utf8)
    {
        var file = Path.Combine(JobDocumentSamples.Root, "tests", "Domain.Tests", path);
        var text = Encoding.UTF8.GetString(utf8);
        if (Environment.GetEnvironmentVariable("MESHLEDGER_WRITE_SNAPSHOTS") == "1")
        {
            File.WriteAllText(file, text);
        }

        Assert.Equal(File.ReadAllText(file), text);
    }
}
