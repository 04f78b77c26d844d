using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder.Posix;
using MeshLedger.Transports.Tests.Compliance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>A disk, a folder or a node that fails for a while, and options that are wrong.</summary>
public sealed class FolderTroubleTests : FolderTest
{
    [Fact]
    public async Task A_result_that_cannot_be_written_is_written_later_and_stops_nobody()
    {
        _place.Prepared();
        var blocked = _place.In("results", $"{Id("blocked")}.result.json");
        Directory.CreateDirectory(blocked);
        await _place.StartAsync(_intake);
        _place.Drop("blocked.json", _intake.Succeeding(Id("blocked")));
        _place.Drop("free.json", _intake.Succeeding(Id("free")));
        await _place.GoneAsync("free.json", "done");
        await Eventually.True(() => _place.Log.Count(4004) > 0, "the failure is logged");
        Assert.Contains(blocked, _place.Log.Lines(4004)[0], StringComparison.Ordinal);
        Assert.Contains("out of the way", _place.Log.Lines(4004)[0], StringComparison.Ordinal);
        Assert.Equal(["blocked.json"], _place.Names("claimed/node-a"));

        Directory.Delete(blocked);
        await _place.GoneAsync("blocked.json", "done");
        Assert.True(File.Exists(blocked));
    }

    [Fact]
    public async Task A_folder_that_was_removed_and_comes_back_is_opened_again()
    {
        await _place.StartAsync(_intake);
        var away = _place.Root + "-away";
        Directory.Move(_place.Root, away);
        Directory.Delete(away, recursive: true);
        await Eventually.True(() => _place.Log.Count(4003) > 0, "it is noticed");
        await Eventually.True(() => Directory.Exists(_place.In("inbox")), "it is opened again");
        _place.Drop("a.json", _intake.Succeeding(Id("again")));
        await _place.GoneAsync("a.json", "done");
    }

    [Fact]
    public async Task An_inbox_that_was_replaced_is_watched_and_what_was_claimed_is_answered()
    {
        _intake.Hold();
        await _place.StartAsync(_intake);
        _place.Drop("a.json", _intake.Succeeding(Id("before")));
        await _intake.SubmittedAsync(Id("before"));
        Directory.Move(_place.In("inbox"), _place.In("old-inbox"));
        Directory.CreateDirectory(_place.In("inbox"));
        _intake.Release();
        _place.Drop("b.json", _intake.Succeeding(Id("after")));
        await _place.GoneAsync("a.json", "done");
        await _place.GoneAsync("b.json", "done");
        Assert.Equal(2, _intake.Jobs);
    }

    [Fact]
    public async Task A_node_that_does_not_answer_is_asked_again()
    {
        var failures = 0;
        _intake.OnSubmit = _ => Interlocked.Increment(ref failures) switch
        {
            1 => throw new TimeoutException("The ledger is busy."),
            2 => throw new IOException("The connection was reset."),
            _ => null,
        };
        var waits = 0;
        _intake.OnResult = id =>
        {
            if (Interlocked.Increment(ref waits) == 1)
            {
                throw new KeyNotFoundException($"No job {id}.");
            }
        };
        await _place.StartAsync(_intake);
        _place.Drop("a.json", _intake.Succeeding(Id("patient")));
        await _place.GoneAsync("a.json", "done");
        Assert.Equal(1, _intake.Jobs);
    }

    [Fact]
    public async Task A_failure_that_is_not_known_to_pass_is_thrown_and_the_file_is_kept()
    {
        _intake.OnSubmit = _ => throw new InvalidDataException("The ledger does not verify.");
        var node = await _place.StartAsync(_intake);
        _place.Drop("a.json", _intake.Succeeding(Id("kept")));
        await Assert.ThrowsAsync<InvalidDataException>(() => node.Running.WaitAsync(Eventually.Deadline));
        Assert.Equal(["a.json"], _place.Names("claimed/node-a"));
    }

    [Fact]
    public async Task Stopping_returns_with_jobs_outstanding_and_submissions_under_way()
    {
        _intake.Hold();
        var node = await _place.StartAsync(_intake, options => options.MaxOutstanding = 3);
        for (var i = 0; i < 10; i++)
        {
            _place.Drop($"{i}.json", _intake.Succeeding(Id($"stop-{i}")));
        }

        await Eventually.True(() => _intake.Calls == 3, "there is no more room");
        await node.StopAsync();
        Assert.Equal(10, _place.Names("inbox").Count + _place.Names("claimed/node-a").Count);
    }

    [Fact]
    public async Task It_can_be_stopped_before_it_started()
    {
        await _place.Transport().RunAsync(_intake, new CancellationToken(canceled: true)).WaitAsync(Eventually.Deadline);
    }

    /// <summary>As on NFS: the rename has no flag that refuses to replace.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_rename_never_replaces_whatever_the_file_system_can(bool canRefuse)
    {
        using var root = FolderDirectory.OpenRoot(_place.Root);
        using var to = root.OpenOrCreate(EntryName.FromText("to"));
        var renaming = new Renaming(root) { CanRefuseToReplace = canRefuse };
        var (a, b) = (EntryName.FromText("a"), EntryName.FromText("b"));
        var identity = root.WriteDurably(a, "a"u8);
        to.WriteDurably(b, "b"u8);

        Assert.Equal(MoveOutcome.TargetTaken, root.Move(a, to, b, identity, renaming));
        Assert.Equal("b", File.ReadAllText(_place.In("to", "b")));
        Assert.Equal(MoveOutcome.Moved, root.Move(a, to, a, identity, renaming));
        Assert.Equal("a", File.ReadAllText(_place.In("to", "a")));

        // Asked again, as after an answer that was lost: it is there, so it was moved.
        Assert.Equal(MoveOutcome.Moved, root.Move(a, to, a, identity, renaming));
        Assert.Equal(MoveOutcome.SourceGone, root.Move(a, to, EntryName.FromText("c"), identity, renaming));
        Assert.Equal(["a", "b"], _place.Names("to"));

        // Linked to both names, it has not moved.
        File.WriteAllText(_place.In("x"), "x");
        using (var link = System.Diagnostics.Process.Start("ln", [_place.In("x"), _place.In("to", "x")]))
        {
            link.WaitForExit();
        }

        var x = EntryName.FromText("x");
        Assert.Equal(MoveOutcome.TargetTaken, root.Move(x, to, x, root.Status(x)!.Value.Identity, renaming));
    }

    [Fact]
    public void Wrong_options_are_all_told_at_the_start()
    {
        var services = Services().AddFolderTransport(options =>
        {
            options.NodeId = "../x";
            options.MaxConcurrency = 0;
            options.TakeoverAfter = options.HeartbeatInterval;
        });
        using var provider = services.BuildServiceProvider();
        var validator = provider.GetRequiredService<IStartupValidator>();
        var failure = Assert.Throws<OptionsValidationException>(validator.Validate);
        Assert.Equal(4, failure.Failures.Count());
    }

    [Fact]
    public void The_folder_is_added_as_a_transport()
    {
        var services = Services().AddFolderTransport(o => o.Directory = _place.Root);
        using var provider = services.BuildServiceProvider();
        Assert.Equal("folder", provider.GetRequiredService<ITransport>().Name);
    }

    private static IServiceCollection Services() =>
        new ServiceCollection().AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
}
