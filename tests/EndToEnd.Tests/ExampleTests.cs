using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>A test that needs machines: skipped where QEMU or a kernel is missing, but never in CI.</summary>
internal sealed class MachineFactAttribute : FactAttribute
{
    public MachineFactAttribute()
    {
        var present = File.Exists("/usr/bin/qemu-system-x86_64") && Directory.Exists("/boot")
            && Directory.EnumerateFiles("/boot", "vmlinuz-*-cloud-amd64").Any();
        if (!present && Environment.GetEnvironmentVariable("CI") != "true")
        {
            Skip = "QEMU or a guest kernel is missing: eng/install.sh";
        }
    }
}

public sealed class ExampleTests
{
    private static readonly Dictionary<string, (string Status, string? Code)> Expected = new()
    {
        ["echo.json"] = ("completed", null),
        ["echo-market.json"] = ("completed", null),
        ["hello-vm.json"] = ("completed", null),
        ["hello-wasm.json"] = ("completed", null),
        ["run-wasm.json"] = ("completed", null),
        ["exit-three.json"] = ("failed", "GUEST_FAILED"),
        ["missing-image.json"] = ("failed", "EXECUTION_ERROR"),
    };

    /// <summary>Which program which example names.</summary>
    private static readonly Dictionary<string, string> Programs = new()
    {
        ["jobs/hello-vm.json"] = "hello.elf",
        ["jobs/exit-three.json"] = "hello.elf",
        ["jobs/hello-wasm.json"] = "wasi/args.wasm",
        ["jobs/run-wasm.json"] = "wasi/run.wasm",
        ["checkpoint/primes.json"] = "wasi/primes.wasm",
    };

    private static string Examples => Path.Combine(Meshledger.Repository, "examples");

    [MachineFact]
    public async Task Every_example_ends_as_it_should()
    {
        await using var node = await TestNode.StartAsync();
        foreach (var program in Programs.Values.Distinct())
        {
            (await node.RunAsync("blob", "add", Path.Combine(Examples, "guests", program))).With(0);
        }

        var files = Directory.GetFiles(Path.Combine(Examples, "jobs"), "*.json");
        Assert.Equal(Expected.Keys.Order(), files.Select(Path.GetFileName).Order());
        foreach (var file in files)
        {
            node.Drop(Path.GetFileName(file), await File.ReadAllBytesAsync(file));
        }

        foreach (var file in files)
        {
            using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(file));
            var result = await node.ResultAsync(document.RootElement.GetProperty("job_id").GetString()!);
            var (status, code) = Expected[Path.GetFileName(file)];
            Assert.Equal(status, result.GetProperty("status").GetString());
            Assert.Equal(
                code, result.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString() : null);
        }

        var shown = (await node.RunAsync("job", "show", "hello-vm-example-001")).With(0);
        Assert.Contains("| env GREETING=good morning", shown, StringComparison.Ordinal);
        Assert.Contains("| file written by the guest", shown, StringComparison.Ordinal);
        var wasm = (await node.RunAsync("job", "show", "hello-wasm-example-001")).With(0);
        Assert.Contains("| argv[1] = from a job file", wasm, StringComparison.Ordinal);
        Assert.Contains("| GREETING=good morning", wasm, StringComparison.Ordinal);
        Assert.Equal("\"35669673\"", (await node.RunAsync("job", "outputs", "run-wasm-example-001", "--name", "result", "--raw")).With(0));
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public void The_examples_name_the_program_that_lies_beside_them()
    {
        foreach (var (name, program) in Programs)
        {
            var hash = Blake3.Hash(File.ReadAllBytes(Path.Combine(Examples, "guests", program))).ToString();
            using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Examples, name)));
            Assert.Equal(hash, document.RootElement.GetProperty("payload").GetProperty("data").GetProperty("hash").GetString());
        }
    }

    [Fact]
    public async Task Job_files_of_other_programs_go_through_or_fail_with_their_reason()
    {
        var samples = Path.Combine(Meshledger.Repository, "..", "shared", "data", "jobs");
        if (!Directory.Exists(samples))
        {
            samples = Path.Combine(Meshledger.Repository, "tests", "Domain.Tests", "Documents", "samples");
        }

        foreach (var file in Directory.GetFiles(samples, "*.json"))
        {
            // Two of them have one job_id, so each gets a ledger of its own.
            await using var node = await TestNode.StartAsync();
            var bytes = await File.ReadAllBytesAsync(file);
            using var document = JsonDocument.Parse(bytes);
            node.Drop(Path.GetFileName(file), bytes);
            var result = await node.ResultAsync(document.RootElement.GetProperty("job_id").GetString()!);
            var isEcho = document.RootElement.GetProperty("operation").GetString() == "system.echo";
            Assert.Equal(isEcho ? "completed" : "failed", result.GetProperty("status").GetString());
            if (Path.GetFileName(file) == "inspect-minimal.json")
            {
                Assert.Contains(
                    "Image not found", result.GetProperty("error").GetProperty("message").GetString()!,
                    StringComparison.Ordinal);
            }
        }
    }
}
