using System.Diagnostics;
using System.Net.Sockets;
using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>What is no file, and what leads out of the folder.</summary>
public sealed class FolderForeignTests : FolderTest
{
    [Theory]
    [InlineData("symbolic link")]
    [InlineData("dangling symbolic link")]
    [InlineData("directory")]
    [InlineData("FIFO")]
    [InlineData("socket")]
    public async Task What_is_no_regular_file_is_moved_away_unopened(string kind)
    {
        _place.Prepared();
        var secret = _place.In("secret");
        var document = _intake.Succeeding(Id("secret"));
        await File.WriteAllBytesAsync(secret, document);
        var path = _place.In("inbox", "x.json");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        switch (kind)
        {
            case "symbolic link":
                File.CreateSymbolicLink(path, secret);
                break;
            case "dangling symbolic link":
                File.CreateSymbolicLink(path, "/nonexistent/there");
                break;
            case "directory":
                Directory.CreateDirectory(path);
                await File.WriteAllBytesAsync(Path.Combine(path, "inner.json"), document);
                break;
            case "FIFO":
                using (var make = Process.Start("mkfifo", [path]))
                {
                    await make.WaitForExitAsync();
                }

                break;
            default:
                socket.Bind(new UnixDomainSocketEndPoint(path));
                break;
        }

        await _place.StartAsync(_intake);
        await Eventually.True(() => _place.Names("failed").Count == 2, "it is in failed/");
        Assert.Equal(["x.json", "x.json.error.json"], _place.Names("failed"));
        var error = _place.ErrorOf("x.json");
        Assert.Equal("NOT_A_FILE", error.GetProperty("code").GetString());
        Assert.Contains(
            kind.Replace("dangling ", "", StringComparison.Ordinal), error.GetProperty("message").GetString(),
            StringComparison.Ordinal);
        Assert.Equal(document, await File.ReadAllBytesAsync(secret));
        Assert.Equal(0, _intake.Calls);
        Assert.Equal(1, _place.Log.Count(4006));
    }

    [Theory]
    [InlineData("inbox")]
    [InlineData("claimed")]
    [InlineData("claimed/node-a")]
    [InlineData("done")]
    [InlineData("failed")]
    [InlineData("results")]
    public async Task A_directory_of_the_folder_that_is_a_link_is_refused(string name)
    {
        _place.Prepared();
        Directory.CreateDirectory(_place.In("claimed"));
        if (Directory.Exists(_place.In(name)))
        {
            Directory.Delete(_place.In(name));
        }

        await using var elsewhere = new FolderPlace();
        Directory.CreateSymbolicLink(_place.In(name), elsewhere.Root);
        if (name != "inbox")
        {
            _place.Drop("a.json", _intake.Succeeding(Id("link")));
        }

        await using var node = new RunningNode(_place.Transport(), _intake);
        await Eventually.True(() => _place.Log.Count(4003) > 0, "the refusal is logged");
        Assert.Contains("not a link", _place.Log.Lines(4003)[0], StringComparison.Ordinal);
        Assert.Empty(elsewhere.All());
        Assert.Equal(0, _intake.Calls);

        // Put right, it goes on by itself.
        Directory.Delete(_place.In(name));
        await Eventually.True(() => Directory.Exists(_place.In(name)), "it is made");
        _place.Drop("b.json", _intake.Succeeding(Id("right")));
        await _place.GoneAsync("b.json", "done");
    }

    [Fact]
    public async Task The_folder_itself_may_be_a_link()
    {
        var link = _place.In("link");
        Directory.CreateDirectory(_place.In("real"));
        Directory.CreateSymbolicLink(link, _place.In("real"));
        await _place.StartAsync(_intake, options => options.Directory = link);
        await File.WriteAllBytesAsync(_place.In("real", "inbox", "a.json"), _intake.Succeeding(Id("linked-root")));
        await Eventually.True(() => File.Exists(_place.In("real", "done", "a.json")), "it is done");
    }

    [Fact]
    public async Task A_link_among_the_results_is_replaced_and_not_followed()
    {
        _place.Prepared();
        var victim = _place.In("victim");
        await File.WriteAllTextAsync(victim, "precious");
        File.CreateSymbolicLink(_place.In("results", $"{Id("trap")}.result.json"), victim);
        await _place.StartAsync(_intake);
        _place.Drop("a.json", _intake.Succeeding(Id("trap")));
        await _place.GoneAsync("a.json", "done");
        Assert.Equal("precious", await File.ReadAllTextAsync(victim));
        Assert.Null(new FileInfo(_place.In("results", $"{Id("trap")}.result.json")).LinkTarget);
    }

    [Fact]
    public async Task A_refusal_and_a_failed_job_tell_why()
    {
        _intake.OnSubmit = document => document.JobId == Id("poor")
            ? new Submission.Refused("INSUFFICIENT_MANA", "10 are held, 20 are needed.")
            : null;
        await _place.StartAsync(_intake);
        _place.Drop("poor.json", _intake.Succeeding(Id("poor")));
        _place.Drop("fails.json", _intake.Failing(Id("fails")));
        await _place.GoneAsync("poor.json", "failed");
        await _place.GoneAsync("fails.json", "failed");
        Assert.Equal(
            $$"""
            {
              "job_id": "{{Id("poor")}}",
              "code": "INSUFFICIENT_MANA",
              "message": "10 are held, 20 are needed."
            }

            """,
            await File.ReadAllTextAsync(_place.In("failed", "poor.json.error.json")));
        var error = _place.ErrorOf("fails.json");
        Assert.Equal("EXECUTION_ERROR", error.GetProperty("code").GetString());
        Assert.False(error.GetProperty("error").GetProperty("recoverable").GetBoolean());
        Assert.Equal([$"{Id("fails")}.result.json"], _place.Names("results"));
    }
}
