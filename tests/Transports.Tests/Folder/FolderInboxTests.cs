using System.Diagnostics;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>What is taken from the inbox, when, and what is not.</summary>
public sealed class FolderInboxTests : FolderTest
{
    [Fact]
    public async Task The_directories_are_made_at_the_start()
    {
        await _place.StartAsync(_intake);
        foreach (var name in (string[])["inbox", "claimed", "done", "failed", "results"])
        {
            Assert.True(Directory.Exists(_place.In(name)), name);
        }
    }

    [Fact]
    public async Task Only_json_files_that_are_not_hidden_are_taken()
    {
        string[] ignored = [".hidden.json", "a.json.tmp", "a.part", "a.txt", "json", "a.JSON", ".json"];
        await _place.StartAsync(_intake);
        foreach (var name in ignored)
        {
            _place.Drop(name, _intake.Succeeding(Id("ignored")));
        }

        _place.Drop("real.json", _intake.Succeeding(Id("real")));
        await _place.GoneAsync("real.json", "done");
        foreach (var name in ignored)
        {
            Assert.True(File.Exists(_place.In("inbox", name)), name);
        }

        Assert.Equal(1, _intake.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_is_not_read_while_it_grows(bool useInotify)
    {
        // The grace period is out of reach, so a file that is taken too early cannot be a matter of timing.
        await _place.StartAsync(_intake, options =>
        {
            options.UseInotify = useInotify;
            options.GracePeriod = TimeSpan.FromSeconds(useInotify ? 600 : 3);
            options.PollInterval = TimeSpan.FromMilliseconds(5);
        });
        var document = _intake.Succeeding(Id("slow"), new string('x', 2000));
        await using (var file = new FileStream(
            _place.In("inbox", "slow.json"), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite, 0))
        {
            foreach (var piece in document.Chunk(50))
            {
                file.Write(piece);
                await Task.Delay(1);
            }

            Assert.Equal(0, _intake.Calls);
        }

        await _place.GoneAsync("slow.json", "done");
        Assert.Equal(1, _intake.Calls);
        Assert.Equal(document, await File.ReadAllBytesAsync(_place.In("done", "slow.json")));
    }

    [Fact]
    public async Task A_file_that_is_created_empty_and_written_later_is_read_once_it_is_written()
    {
        await _place.StartAsync(_intake, options => options.GracePeriod = TimeSpan.FromMinutes(10));
        await File.WriteAllBytesAsync(_place.In("inbox", "touched.json"), []);
        _place.Drop("other.json", _intake.Succeeding(Id("other")));
        await _place.GoneAsync("other.json", "done");
        Assert.True(File.Exists(_place.In("inbox", "touched.json")));

        await File.WriteAllBytesAsync(_place.In("inbox", "touched.json"), _intake.Succeeding(Id("touched")));
        await _place.GoneAsync("touched.json", "done");
    }

    [Fact]
    public async Task With_inotify_a_file_is_taken_without_any_grace()
    {
        await _place.StartAsync(_intake, options =>
        {
            options.GracePeriod = TimeSpan.FromHours(1);
            options.PollInterval = TimeSpan.FromHours(1);
        });
        _place.Drop("renamed.json", _intake.Succeeding(Id("renamed")));
        await File.WriteAllBytesAsync(_place.In("inbox", "written.json"), _intake.Succeeding(Id("written")));
        await _place.GoneAsync("renamed.json", "done");
        await _place.GoneAsync("written.json", "done");
    }

    [Fact]
    public async Task A_file_that_was_linked_into_place_is_found_by_polling()
    {
        await _place.StartAsync(_intake);
        await File.WriteAllBytesAsync(_place.In("original"), _intake.Succeeding(Id("linked")));
        await ShellAsync("ln original inbox/linked.json");
        await _place.GoneAsync("linked.json", "done");
        Assert.True(File.Exists(_place.In("original")));
    }

    [Fact]
    public async Task A_file_from_before_the_start_is_taken_at_the_first_look()
    {
        _place.Prepared();
        _place.Drop("early.json", _intake.Succeeding(Id("early")));
        await Task.Delay(300);
        await _place.StartAsync(_intake, options => options.PollInterval = TimeSpan.FromHours(1));
        await _place.GoneAsync("early.json", "done");
    }

    [Fact]
    public async Task A_time_stamp_from_elsewhere_makes_no_file_complete()
    {
        _place.Prepared();
        _place.Drop("old.json", _intake.Succeeding(Id("old")));
        File.SetLastWriteTimeUtc(_place.In("inbox", "old.json"), DateTime.UnixEpoch);
        await _place.StartAsync(_intake, options => options.GracePeriod = TimeSpan.FromHours(1));
        _place.Drop("new.json", _intake.Succeeding(Id("new")));
        await _place.GoneAsync("new.json", "done");
        Assert.True(File.Exists(_place.In("inbox", "old.json")));
    }

    [Theory]
    [InlineData("with some spaces.json")]
    [InlineData("ünïcødé-日本-🦊.json")]
    [InlineData("line\nbreak.json")]
    [InlineData("-rf.json")]
    [InlineData("$(reboot);`x`'\".json")]
    [InlineData("..json.json")]
    [InlineData("a.error.json")]
    public async Task Any_name_works(string name)
    {
        await _place.StartAsync(_intake);
        _place.Drop(name, _intake.Succeeding(Id("named")));
        await _place.GoneAsync(name, name.StartsWith('.') ? "inbox" : "done");
    }

    [Fact]
    public async Task A_name_that_is_not_utf8_works()
    {
        _place.Prepared();
        await File.WriteAllBytesAsync(_place.In("document"), _intake.Succeeding(Id("bytes")));
        await ShellAsync("cp document \"$(printf 'inbox/a\\377\\376.json')\"");
        await _place.StartAsync(_intake);
        await Eventually.True(() => _place.Names("done").Count == 1, "the file is done");
        Assert.Equal("", await ShellAsync("rm \"$(printf 'done/a\\377\\376.json')\""));
    }

    [Fact]
    public async Task The_longest_names_work_and_keep_their_errors()
    {
        await _place.StartAsync(_intake);
        var good = new string('g', 250) + ".json";
        var bad = string.Concat(Enumerable.Repeat("é", 125)) + ".json";
        _place.Drop(good, _intake.Succeeding(Id("long")));
        await _place.GoneAsync(good, "done");
        _place.Drop(bad, "{}"u8.ToArray());
        await Eventually.True(() => _place.Names("failed").Count == 2, "the file and its error are there");
        var file = Assert.Single(_place.Names("failed"), name => !name.EndsWith(".error.json", StringComparison.Ordinal));
        Assert.StartsWith("ééé", file, StringComparison.Ordinal);
        Assert.DoesNotContain('\uFFFD', file);
        Assert.Equal("INVALID_DOCUMENT", _place.ErrorOf(file).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Files_of_one_name_do_not_replace_each_other()
    {
        await _place.StartAsync(_intake);
        for (var i = 0; i < 3; i++)
        {
            _place.Drop("job.json", _intake.Succeeding(Id($"same-{i}")));
            await Eventually.True(() => _place.Names("done").Count == i + 1, $"drop {i} is done");
            _place.Drop("bad.json", [(byte)'0', (byte)(i + '0')]);
            await Eventually.True(() => _place.Names("failed").Count == 2 * (i + 1), $"bad drop {i} has failed");
        }

        Assert.Equal(3, _place.Names("done").Select(n => File.ReadAllText(_place.In("done", n))).Distinct().Count());
        Assert.Equal(3, _place.Names("results").Count);
        foreach (var name in _place.Names("failed").Where(n => !n.EndsWith(".error.json", StringComparison.Ordinal)))
        {
            Assert.NotEmpty(_place.ErrorOf(name).GetProperty("faults").EnumerateArray());
        }
    }

    [Fact]
    public async Task A_second_file_of_a_name_does_not_wait_for_the_first()
    {
        _intake.Hold();
        await _place.StartAsync(_intake);
        _place.Drop("job.json", _intake.Succeeding(Id("first")));
        await _intake.SubmittedAsync(Id("first"));
        _place.Drop("job.json", _intake.Succeeding(Id("second")));
        await _intake.SubmittedAsync(Id("second"));
        _intake.Release();
        await Eventually.True(() => _place.Names("done").Count == 2, "both are done");
        Assert.Equal(2, _place.Names("results").Count);
    }

    [Fact]
    public async Task No_more_than_the_set_number_is_claimed()
    {
        _intake.Hold();
        await _place.StartAsync(_intake, options => options.MaxOutstanding = 5);
        for (var i = 0; i < 20; i++)
        {
            _place.Drop($"{i}.json", _intake.Succeeding(Id($"bounded-{i}")));
        }

        await Eventually.True(() => _intake.Calls == 5, "five are submitted");
        Assert.True(_place.Names("inbox").Count >= 15);
        _intake.Release();
        await Eventually.True(() => _place.Names("done").Count == 20, "all are done");
    }

    private async Task<string> ShellAsync(string script)
    {
        using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", "set -e; " + script])
        {
            WorkingDirectory = _place.Root,
            RedirectStandardOutput = true,
        })!;
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        Assert.Equal(0, shell.ExitCode);
        return output;
    }
}
