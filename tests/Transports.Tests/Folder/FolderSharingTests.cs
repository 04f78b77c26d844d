using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using MeshLedger.Domain.Jobs;
using MeshLedger.Transports.Folder;
using MeshLedger.Transports.Folder.Posix;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>Many nodes on one folder.</summary>
public sealed class FolderSharingTests : FolderTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_file_is_submitted_by_one_node_only(bool useInotify)
    {
        const int Files = 500;
        var submitted = new ConcurrentQueue<JobId>();
        _intake.OnSubmit = document =>
        {
            submitted.Enqueue(document.JobId);
            return null;
        };
        for (var node = 0; node < 4; node++)
        {
            await _place.StartAsync(_intake, options =>
            {
                options.NodeId = $"node-{node}";
                options.UseInotify = useInotify;
            });
        }

        for (var i = 0; i < Files; i++)
        {
            _place.Drop($"{i}.json", _intake.Succeeding(Id($"race-{i}")));
        }

        await Eventually.True(() => _place.Names("done").Count == Files, "all are done");
        Assert.Equal(Files, submitted.Count);
        Assert.Equal(Files, submitted.Distinct().Count());
        Assert.Equal(Files, _place.Names("results").Count);
        Assert.Empty(_place.Names("inbox"));
        Assert.Empty(_place.Names("failed"));
    }

    [Fact]
    public async Task The_files_of_a_dead_node_are_taken_over()
    {
        _intake.Hold();
        var dead = await _place.StartAsync(_intake, options => options.NodeId = "dead");
        _place.Drop("a.json", _intake.Succeeding(Id("left-a")));
        _place.Drop("b.json", _intake.Failing(Id("left-b")));
        await _intake.SubmittedAsync(Id("left-a"));
        await _intake.SubmittedAsync(Id("left-b"));
        await dead.StopAsync();
        _intake.Release();
        Assert.Equal(["a.json", "b.json"], _place.Names("claimed/dead"));

        await _place.StartAsync(_intake, options =>
        {
            options.NodeId = "heir";
            options.TakeoverAfter = TimeSpan.FromMilliseconds(400);
        });
        await _place.GoneAsync("a.json", "done");
        await _place.GoneAsync("b.json", "failed");
        Assert.Equal(1, _place.Log.Count(4007));
        Assert.Equal(2, _intake.Jobs);
        Assert.Equal(2, _place.Names("results").Count);
    }

    [Fact]
    public async Task Claims_without_any_sign_of_life_are_taken_over()
    {
        _place.Prepared("killed-before-its-first-beat");
        await File.WriteAllBytesAsync(
            _place.In("claimed", "killed-before-its-first-beat", "a.json"), _intake.Succeeding(Id("left")));
        await _place.StartAsync(_intake, options => options.TakeoverAfter = TimeSpan.FromMilliseconds(400));
        await _place.GoneAsync("a.json", "done");
    }

    [Fact]
    public async Task A_node_that_lives_keeps_its_files_however_long_a_job_takes()
    {
        _intake.Hold();
        await _place.StartAsync(_intake, options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(10));
        _place.Drop("a.json", _intake.Succeeding(Id("long")));
        await _intake.SubmittedAsync(Id("long"));

        // 600 beats take longer than the period that the other waits for.
        await _place.StartAsync(_intake, options =>
        {
            options.NodeId = "impatient";
            options.HeartbeatInterval = TimeSpan.FromMilliseconds(20);
            options.TakeoverAfter = TimeSpan.FromSeconds(5);
        });
        var sign = _place.In("claimed", "node-a");
        var first = Beats(sign);
        await Eventually.True(() => Beats(sign) > first + 600, "600 beats");
        Assert.Equal(["a.json"], _place.Names("claimed/node-a"));
        _intake.Release();
        await _place.GoneAsync("a.json", "done");
        Assert.Equal(1, _intake.Calls);
        Assert.Equal(0, _place.Log.Count(4007));
    }

    [Fact]
    public async Task A_node_notices_that_a_file_was_taken_away()
    {
        _intake.Hold();
        await _place.StartAsync(_intake);
        _place.Drop("a.json", _intake.Succeeding(Id("moved")));
        await _intake.SubmittedAsync(Id("moved"));

        // What an heir does that took this node for dead.
        Directory.CreateDirectory(_place.In("claimed", "heir"));
        File.Move(_place.In("claimed", "node-a", "a.json"), _place.In("claimed", "heir", "a.json"));
        _place.Drop("a.json", _intake.Succeeding(Id("another")));
        await _intake.SubmittedAsync(Id("another"));
        _intake.Release();

        await Eventually.True(() => _place.Names("claimed/node-a").Count == 0, "the node's own file is done");
        await Eventually.True(() => _place.Log.Count(4008) == 1, "the node has noticed");
        Assert.Equal(["a.json"], _place.Names("claimed/heir"));
        var done = Assert.Single(_place.Names("done"));
        Assert.Equal(_intake.Succeeding(Id("another")), await File.ReadAllBytesAsync(_place.In("done", done)));

        await _place.StartAsync(_intake, options => options.NodeId = "heir");
        await Eventually.True(() => _place.Names("done").Count == 2, "the heir has answered");
        Assert.Equal(2, _intake.Jobs);
    }

    [Fact]
    public async Task A_second_process_under_the_same_node_id_waits()
    {
        var first = await _place.StartAsync(_intake);
        await using var second = new RunningNode(_place.Transport(), _intake);
        await Eventually.True(() => _place.Log.Count(4003) > 0, "the second is kept out");
        Assert.Contains("another process", _place.Log.Lines(4003)[0], StringComparison.Ordinal);
        await first.StopAsync();
        _place.Drop("a.json", _intake.Succeeding(Id("later")));
        await _place.GoneAsync("a.json", "done");
    }

    // Read as another node reads it: File.ReadAllText asks for a lock, which the node holds.
    private static long Beats(string node)
    {
        using var directory = FolderDirectory.OpenRoot(node);
        var content = Assert.IsType<FileReading.Content>(directory.Read(SignOfLife.FileName, 256));
        return long.Parse(Encoding.ASCII.GetString(content.Bytes).Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
