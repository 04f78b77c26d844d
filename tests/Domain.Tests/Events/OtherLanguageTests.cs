using System.ComponentModel;
using System.Diagnostics;
using MeshLedger.Domain.Tests.Documents;
using Xunit.Abstractions;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>schemas/vectors/verify.mjs knows nothing of this code, only schemas/README.md.</summary>
public sealed class OtherLanguageTests(ITestOutputHelper output)
{
    private static readonly string Script =
        Path.Combine(JobDocumentSamples.Root, "schemas", "vectors", "verify.mjs");

    [Fact]
    public async Task A_verifier_in_another_language_agrees_with_every_vector()
    {
        if (await RunAsync(EventVectorTests.Path) is not { } run)
        {
            return;
        }

        Assert.Equal("89 events, 10 canonical texts, 28 refused texts: 0 faults\n", run.Output);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task A_verifier_in_another_language_sees_what_was_changed()
    {
        var folder = Directory.CreateTempSubdirectory("ml-vectors-").FullName;
        try
        {
            var vectors = await File.ReadAllTextAsync(EventVectorTests.Path);
            foreach (var (old, changed, fault) in new[]
            {
                ("\"name\": \"cellar\"", "\"name\": \"kellar\"", "event 2 (node_joined): signature"),
                ("\"size\": 5", "\"size\": 9", "event 31 (job_completed): signature"),
                ("\"index\": 1,", "\"index\": 0,", "signature"),
            })
            {
                var path = Path.Combine(folder, "events.json");
                await File.WriteAllTextAsync(path, vectors.Replace(old, changed, StringComparison.Ordinal));
                if (await RunAsync(path) is not { } run)
                {
                    return;
                }

                Assert.Equal(1, run.ExitCode);
                Assert.Contains(fault, run.Errors, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<(int ExitCode, string Output, string Errors)?> RunAsync(string vectors)
    {
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", [Script, vectors])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var errors = node.StandardError.ReadToEndAsync();
            var text = await node.StandardOutput.ReadToEndAsync();
            await node.WaitForExitAsync();
            return (node.ExitCode, text, await errors);
        }
        catch (Win32Exception) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            output.WriteLine("Not run: node is missing. Install it with: apt-get install nodejs");
            return null;
        }
    }
}
