using System.ComponentModel;
using System.Diagnostics;
using MeshLedger.Ledger.Bundles;
using Xunit.Abstractions;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>examples/verify-bundle knows nothing of this code, only schemas/README.md.</summary>
public sealed class SecondVerifierTests(BundleFixture fixture, ITestOutputHelper output) : IClassFixture<BundleFixture>, IDisposable
{
    private const int Mutations = 24;

    private readonly string _home = Directory.CreateTempSubdirectory("ml-bundle-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_verifier_in_another_language_agrees_with_ours()
    {
        var bundle = await fixture.ExportAsync(BundleTests.All);
        var trusting = $$"""{"logs":["{{fixture.Log}}"]}""";
        var all = $$"""
            {"logs":["{{fixture.Log}}"],"witnesses":["{{fixture.Witness}}"],"quorum":1,"founder":"{{fixture.Story.Node.Did}}","submitters":["{{fixture.Story.Submitter.Did}}","{{fixture.Story.Owner.Did}}"]}
            """;
        foreach (var (policy, code) in new[]
        {
            (trusting, 0), (all, 0),
            (all.Replace(fixture.Story.Node.Did.ToString(), fixture.Story.Stranger.Did.ToString(), StringComparison.Ordinal), 4),
            (all.Replace(fixture.Story.Owner.Did.ToString(), fixture.Story.Stranger.Did.ToString(), StringComparison.Ordinal), 4),
            (trusting.Replace(fixture.Log.ToString(), fixture.Witness.ToString(), StringComparison.Ordinal), 2), ("{}", 2),
        })
        {
            if (await RunAsync(bundle, policy) is not { } run)
            {
                return;
            }

            Assert.True(code == run.ExitCode, run.Output);
            if (code != 2)
            {
                var ours = await fixture.VerifyAsync(bundle, BundlePolicy.Parse(System.Text.Encoding.UTF8.GetBytes(policy)));
                Assert.Equal(code == 0, ours.IsProven);
            }
        }
    }

    [Fact]
    public async Task A_verifier_in_another_language_refuses_what_was_changed()
    {
        var bundle = await fixture.ExportAsync("job-again");
        var other = await fixture.ExportAsync("job-three-2");
        var random = new Random(20_261_122);
        for (var i = 0; i < Mutations; i++)
        {
            var (what, changed) = BundleMutation.Any(random, bundle, other);
            if (changed.AsSpan().SequenceEqual(bundle))
            {
                continue;
            }

            if (await RunAsync(changed, $$"""{"logs":["{{fixture.Log}}"]}""") is not { } run)
            {
                return;
            }

            Assert.True(run.ExitCode == 4, $"mutation {i} is not seen: {what}: {run.Output}");
            Assert.Contains("FAULT", run.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_verifier_in_another_language_follows_hand_overs_of_the_log()
    {
        var handedOver = await BundleFixture.OfHandedOverAsync();
        try
        {
            var bundle = await handedOver.ExportAsync("job-again");
            var random = new Random(20_261_123);
            foreach (var trusted in new[] { BundleHandOverTests.First, handedOver.Log, fixture.Log })
            {
                var expected = trusted == fixture.Log ? 4 : 0;
                if (await RunAsync(bundle, $$"""{"logs":["{{trusted}}"]}""") is not { } run)
                {
                    return;
                }

                Assert.True(run.ExitCode == expected, run.Output);
                var (what, changed) = BundleMutation.Any(random, bundle, bundle);
                Assert.True(
                    changed.AsSpan().SequenceEqual(bundle)
                    || (await RunAsync(changed, $$"""{"logs":["{{trusted}}"]}"""))!.Value.ExitCode == 4, what);
            }

            handedOver.HandOvers = null;
            var without = await handedOver.ExportAsync("job-again");
            Assert.Equal(4, (await RunAsync(without, $$"""{"logs":["{{BundleHandOverTests.First}}"]}"""))!.Value.ExitCode);
            Assert.Equal(0, (await RunAsync(without, $$"""{"logs":["{{handedOver.Log}}"]}"""))!.Value.ExitCode);
        }
        finally
        {
            await handedOver.DisposeAsync();
        }
    }

    private Task<(int ExitCode, string Output)?> RunAsync(byte[] bundle, string policy) =>
        RunAsync(bundle, policy, _home, output);

    /// <returns>Null where it cannot be run.</returns>
    internal static async Task<(int ExitCode, string Output)?> RunAsync(
        byte[] bundle, string policy, string home, ITestOutputHelper output)
    {
        var (bundleFile, policyFile) = (Path.Combine(home, "bundle.tar"), Path.Combine(home, "policy.json"));
        await File.WriteAllBytesAsync(bundleFile, bundle);
        await File.WriteAllTextAsync(policyFile, policy);
        var script = Path.Combine(Root(), "examples", "verify-bundle", "verify-bundle.mjs");
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", [script, bundleFile, policyFile])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var errors = node.StandardError.ReadToEndAsync();
            var text = await node.StandardOutput.ReadToEndAsync();
            await node.WaitForExitAsync();
            return (node.ExitCode, text + await errors);
        }
        catch (Win32Exception) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            output.WriteLine("Not run: node is missing. Install it with: apt-get install nodejs");
            return null;
        }
    }

    internal static string Root()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at!.FullName, "MeshLedger.sln")))
        {
            at = at.Parent;
        }

        return at.FullName;
    }
}
