using System.Diagnostics;
using System.Text.Json;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker.Tests.Handlers;

public sealed class InspectHandlerTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-images-").FullName;
    private readonly string _images;
    private readonly InspectHandler _handler;

    public InspectHandlerTests()
    {
        _images = Directory.CreateDirectory(Path.Combine(_root, "images")).FullName;
        File.SetUnixFileMode(_root, File.GetUnixFileMode(_root) | UnixFileMode.OtherExecute);
        _handler = new InspectHandler([_images], "nobody", TimeProvider.System);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Every_fault_is_named_at_once()
    {
        var result = await Given.Job("guestkit.inspect", "guestkit.profile.v1", """
            {"image": {"path": "", "format": "QCOW2", "checksum": "md5:abc"},
             "options": {"deep_scan": 1}, "output": {"format": "xml"}}
            """).RunAsync(_handler);

        Assert.Equal("VALIDATION_ERROR", result.Error!.Code);
        Assert.All(
            (string[])["/payload/type:", "/payload/data/image/path:", "/payload/data/image/format:",
                "/payload/data/image/checksum:", "/payload/data/options/deep_scan:", "/payload/data/output/format:"],
            pointer => Assert.Contains(pointer, result.Error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_absent_and_what_is_outside_look_the_same()
    {
        await File.WriteAllTextAsync(Path.Combine(_root, "secret"), "secret");
        File.CreateSymbolicLink(Path.Combine(_images, "link"), Path.Combine(_root, "secret"));
        Directory.CreateDirectory(_images + "-not");
        await File.WriteAllTextAsync(Path.Combine(_images + "-not", "disk"), "x");
        string[] paths = ["absent", "../secret", "link", "../images-not/disk", "../images/../secret", "."];
        foreach (var path in paths.Select(name => $"{_images}/{name}").Append("relative").Append("/dev/zero"))
        {
            var result = await Inspect(path, "raw");
            Assert.Equal("EXECUTION_ERROR", result.Error!.Code);
            Assert.Equal($"Image not found: {path}", result.Error.Message);
        }
    }

    [Fact]
    public async Task A_wrong_checksum_is_told_and_a_right_one_passes()
    {
        var path = Path.Combine(_images, "disk.raw");
        await File.WriteAllTextAsync(path, "test content for checksum");
        const string right = "c8ce4e97a404b12b1d8f0e245f04ff607be1048b16d973c2f23bab86655c808b";

        var wrong = await Inspect(path, "raw", "sha256:" + new string('1', 64));
        Assert.Equal("IMAGE_CHECKSUM_MISMATCH", wrong.Error!.Code);

        foreach (var checksum in (string[])[right, "sha256:" + right, "sha256:" + right.ToUpperInvariant()])
        {
            Assert.Equal("OPERATION_UNSUPPORTED", (await Inspect(path, "raw", checksum)).Error!.Code);
        }
    }

    [Fact]
    public async Task An_image_gives_its_facts_and_an_honest_refusal()
    {
        if (!MeshLedger.Machines.DiskImages.CanRead)
        {
            Assert.NotEqual("true", Environment.GetEnvironmentVariable("CI"));
            throw new InvalidOperationException("$XunitDynamicSkip$This test needs: apt-get install qemu-utils");
        }

        var path = Path.Combine(_images, "disk.qcow2");
        using (var create = Process.Start(new ProcessStartInfo("/usr/bin/qemu-img",
            ["create", "-q", "-f", "qcow2", path, "10M"]))!)
        {
            await create.WaitForExitAsync();
        }

        var result = await Inspect(path, "qcow2");

        Assert.Equal("OPERATION_UNSUPPORTED", result.Error!.Code);
        using var info = JsonDocument.Parse(Given.Text(result, "image-info"));
        Assert.Equal("qcow2", info.RootElement.GetProperty("format").GetString());
        Assert.Equal(10 << 20, info.RootElement.GetProperty("virtual-size").GetInt32());

        var asVmdk = await Inspect(path, "vmdk");
        Assert.Equal("EXECUTION_ERROR", asVmdk.Error!.Code);
        Assert.Contains("cannot be read as vmdk", asVmdk.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_cancelled_does_not_begin()
    {
        var given = Given.Job("guestkit.inspect", "guestkit.inspect.v1", "{}");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => given.RunAsync(_handler, new CancellationToken(canceled: true)));
        Assert.Empty(given.Progress);
        Assert.Equal(new HandlerNeeds(0, 256, 0), _handler.Needs(given.Document));
    }

    private Task<OperationResult> Inspect(string path, string format, string? checksum = null)
    {
        var image = new Dictionary<string, string> { ["path"] = path, ["format"] = format };
        if (checksum is not null)
        {
            image["checksum"] = checksum;
        }

        var data = JsonSerializer.Serialize(new Dictionary<string, object> { ["image"] = image });
        return Given.Job("guestkit.inspect", "guestkit.inspect.v1", data).RunAsync(_handler);
    }
}
