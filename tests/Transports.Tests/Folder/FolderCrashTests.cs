using System.Diagnostics;
using MeshLedger.Domain.Documents;
using MeshLedger.Transports.Tests.Compliance;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>
/// The fault table: a crash at each durable step of a file's life, with the step failed and not persisted, or failed
/// but persisted. Each is the state of the disk and of the ledger at that moment; the next start ends in one answer.
/// </summary>
public sealed class FolderCrashTests : FolderTest
{
    public enum After
    {
        Nothing,
        Claim,
        Submission,
        HalfOfTheResult,
        Result,
        HalfOfTheReason,
        Reason,
        Move,
    }

    public static TheoryData<After, string> States => new()
    {
        { After.Nothing, "succeeds" }, { After.Nothing, "fails" }, { After.Nothing, "invalid" },
        { After.Claim, "succeeds" }, { After.Claim, "fails" }, { After.Claim, "invalid" },
        { After.Submission, "succeeds" }, { After.Submission, "fails" },
        { After.HalfOfTheResult, "succeeds" }, { After.HalfOfTheResult, "fails" },
        { After.Result, "succeeds" }, { After.Result, "fails" },
        { After.HalfOfTheReason, "fails" }, { After.HalfOfTheReason, "invalid" },
        { After.Reason, "fails" }, { After.Reason, "invalid" },
        { After.Move, "succeeds" }, { After.Move, "fails" }, { After.Move, "invalid" },
    };

    [Theory]
    [MemberData(nameof(States))]
    public async Task A_crash_after_any_step_ends_in_one_answer(After step, string outcome)
    {
        var document = outcome switch
        {
            "succeeds" => _intake.Succeeding(Id("crash")),
            "fails" => _intake.Failing(Id("crash")),
            _ => "{}"u8.ToArray(),
        };
        var expected = await UndisturbedAsync(document);
        await LeaveBehindAsync(step, document, expected);

        var node = await _place.StartAsync(_intake);
        await _place.GoneAsync("a.json", outcome == "succeeds" ? "done" : "failed");
        await Eventually.True(() => _place.Names("claimed/node-a").Count == 0, "nothing is owed");
        await node.StopAsync();
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), _place.All());
        foreach (var (name, bytes) in expected)
        {
            Assert.Equal(bytes, await File.ReadAllBytesAsync(_place.In(name)));
        }

        Assert.Equal(outcome == "invalid" ? 0 : 1, _intake.Jobs);
    }

    /// <summary>The folder after the same file without any crash: what each state has to end in, to the byte.</summary>
    private static async Task<Dictionary<string, byte[]>> UndisturbedAsync(byte[] document)
    {
        await using var place = new FolderPlace();
        await using var intake = new ScriptedIntake();
        await place.StartAsync(intake);
        place.Drop("a.json", document);
        await Eventually.True(
            () => place.Names("done").Count + place.Names("failed").Count(n => n == "a.json") == 1, "it is answered");
        return place.All().ToDictionary(name => name, name => File.ReadAllBytes(place.In(name)));
    }

    private async Task LeaveBehindAsync(After step, byte[] document, Dictionary<string, byte[]> expected)
    {
        _place.Prepared("node-a");
        var half = _place.In("claimed", "node-a", ".answer-0");
        var last = step == After.Move ? expected.Keys.Single(n => n.EndsWith("/a.json", StringComparison.Ordinal))
            : step == After.Nothing ? "inbox/a.json"
            : "claimed/node-a/a.json";
        await File.WriteAllBytesAsync(_place.In(last), document);
        if (step >= After.Submission && JobDocumentReader.Read(document).Document is { } job)
        {
            await _intake.SubmitAsync(job, "folder", CancellationToken.None);
        }

        var written = expected.Where(file =>
            (step >= After.Result && file.Key.StartsWith("results/", StringComparison.Ordinal))
            || (step >= After.Reason && file.Key.EndsWith(".error.json", StringComparison.Ordinal)));
        foreach (var (name, bytes) in written)
        {
            await File.WriteAllBytesAsync(_place.In(name), bytes);
        }

        if (step is After.HalfOfTheResult or After.HalfOfTheReason)
        {
            await File.WriteAllTextAsync(half, "{ \"job_id");
        }
    }

    [Fact]
    public async Task A_process_that_is_killed_again_and_again_answers_each_file_once()
    {
        const int Files = 300;
        var journal = _place.Prepared().In("journal");
        var names = Enumerable.Range(0, Files).Select(i => $"{i}.json").ToList();
        for (var round = 0; round < 4; round++)
        {
            using var child = Process.Start(new ProcessStartInfo(
                Environment.ProcessPath!, [typeof(FolderCrashTests).Assembly.Location, "node", _place.Root, journal])
            {
                RedirectStandardOutput = true,
            })!;
            var answered = _place.Names("done").Count;
            foreach (var name in names.Skip(round * Files / 4).Take(Files / 4))
            {
                _place.Drop(name, round % 2 == 0
                    ? _intake.Succeeding(Id(name))
                    : _intake.Succeeding(Id(name), new string('x', 5000)));
            }

            // At another place of the work each time: after the first answers, or after many.
            var enough = answered + 1 + (round * 20);
            await Eventually.True(() => _place.Names("done").Count >= enough || child.HasExited, "some are done");
            Assert.False(child.HasExited);
            child.Kill();
            await child.WaitForExitAsync();
        }

        await using var intake = new ScriptedIntake(journal);
        await _place.StartAsync(intake);
        await Eventually.True(() => _place.Names("done").Count >= Files, "all are done");
        Assert.Equal(names.Order(StringComparer.Ordinal), _place.Names("done"));
        Assert.Equal(Files, _place.Names("results").Count);
        Assert.Empty(_place.Names("failed"));
        Assert.Empty(_place.Names("inbox"));
        var jobs = (await File.ReadAllLinesAsync(journal)).Select(line => line.Split(' ')[0]).ToList();
        Assert.Equal(Files, jobs.Distinct().Count());
        Assert.Equal(Files, jobs.Count);
    }
}
