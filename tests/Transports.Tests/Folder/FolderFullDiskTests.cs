using System.Text;
using MeshLedger.Domain.Jobs;
using MeshLedger.Testing;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>Steps that fail without a crash: no byte can be written, so neither results nor reasons come into being,
/// while renames still go.</summary>
public sealed class FolderFullDiskTests : FolderTest
{
    private const int Files = 20;

    [Theory]
    [InlineData("succeeds")]
    [InlineData("fails")]
    [InlineData("invalid")]
    public async Task On_a_full_disk_every_answer_is_owed_until_there_is_room_and_then_given_once(string outcome)
    {
        using var disk = SmallDisk.Mount(megabytes: 2);
        var root = Path.Combine(disk.Root, "folder");
        Directory.CreateDirectory(root);
        _intake.Hold();
        var node = await _place.StartAsync(_intake, options => options.Directory = root);
        for (var i = 0; i < Files; i++)
        {
            await File.WriteAllBytesAsync(Path.Combine(root, "inbox", $"{i:D2}.json.tmp"), outcome switch
            {
                "succeeds" => _intake.Succeeding(Id($"full-{i:D2}")),
                "fails" => _intake.Failing(Id($"full-{i:D2}")),
                _ => "{}"u8.ToArray(),
            });
        }

        disk.Fill();
        for (var i = 0; i < Files; i++)
        {
            File.Move(Path.Combine(root, "inbox", $"{i:D2}.json.tmp"), Path.Combine(root, "inbox", $"{i:D2}.json"));
        }

        await Eventually.True(() => Names("claimed/node-a").Count == Files, "all are claimed");
        _intake.Release();
        await Eventually.True(() => _place.Log.Count(4004) > 0, "the failure is logged");
        Assert.Contains("No space left", _place.Log.Lines(4004)[0], StringComparison.Ordinal);
        Assert.Equal(Files, Names("claimed/node-a").Count);
        Assert.Empty(Names("done"));
        Assert.Empty(Names("failed"));
        Assert.Empty(Names("results"));

        disk.Free();
        var to = outcome == "succeeds" ? "done" : "failed";
        await Eventually.True(() => Names("claimed/node-a").Count == 0, "nothing is owed");
        Assert.Equal(Files, Names(to).Count(name => !name.EndsWith(".error.json", StringComparison.Ordinal)));
        Assert.Equal(outcome == "succeeds" ? 0 : 2 * Files, Names("failed").Count);
        Assert.Equal(outcome == "invalid" ? 0 : Files, Names("results").Count);
        foreach (var name in Names("results"))
        {
            var id = JobId.Parse(name[..^".result.json".Length]);
            Assert.Equal(
                Encoding.UTF8.GetString(ScriptedIntake.ResultText(id, outcome == "succeeds")),
                await File.ReadAllTextAsync(Path.Combine(root, "results", name)));
        }

        Assert.Equal(outcome == "invalid" ? 0 : Files, _intake.Jobs);
        await node.StopAsync();

        IReadOnlyList<string> Names(string directory) => [.. Directory
            .EnumerateFileSystemEntries(Path.Combine(root, directory)).Select(path => Path.GetFileName(path)!)
            .Where(name => !name.StartsWith('.'))];
    }
}
