using System.Text.Json;
using Npgsql;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>The audit of a node's ledger, as an auditor meets it.</summary>
public sealed class AuditTests : IAsyncLifetime
{
    private TestNode _node = null!;

    public async Task InitializeAsync()
    {
        _node = await TestNode.StartAsync();
        foreach (var job in (string[])["audited-job-0001", "audited-job-0002"])
        {
            _node.Drop($"{job}.json", TestNode.Echo(job));
            (await _node.RunAsync("job", "wait", job)).With(0);
        }
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    [Fact]
    public async Task A_second_audit_finds_what_was_done_since_the_first_and_says_where_in_every_format()
    {
        var text = (await _node.RunAsync("audit", "--deep")).With(0);
        Assert.Contains("Audit: clean.", text, StringComparison.Ordinal);
        Assert.Contains("Projection job_status: 2 rows built again", text, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_node.Data, "audit", "last")));
        (await _node.RunAsync("audit", "--since", "last")).With(0);

        await using var database = NpgsqlDataSource.Create(_node.Socket);
        await using (var change = database.CreateCommand(
            "UPDATE mt_events SET data = jsonb_set(data, '{price}', '1') WHERE stream_id = 'job-audited-job-0001' AND type = 'bid_placed';"
            + "UPDATE job_status SET status = 'failed' WHERE job_id = 'audited-job-0002'"))
        {
            await change.ExecuteNonQueryAsync();
        }

        var told = (await _node.RunAsync("audit", "--deep")).With(4);
        Assert.Contains("FAULT wrong_digest: stream job-audited-job-0001, version 3, position ", told, StringComparison.Ordinal);
        Assert.Contains(": what stands in the row is not what its author signed\n  expected: ", told, StringComparison.Ordinal);
        Assert.DoesNotContain("version 0", told, StringComparison.Ordinal);
        Assert.DoesNotContain("illegal_event", told, StringComparison.Ordinal);
        Assert.Contains("Note: Not judged, since stream job-audited-job-0001, version 3, position ", told, StringComparison.Ordinal);
        using var json = JsonDocument.Parse((await _node.RunAsync("audit", "--deep", "--output", "json")).With(4));
        var head = $"{json.RootElement.GetProperty("head").GetInt64()}";
        var faults = json.RootElement.GetProperty("faults").EnumerateArray().ToList();
        Assert.Equal(faults.Count, json.RootElement.GetProperty("fault_count").GetInt32());
        Assert.All(faults, fault => Assert.All(
            (string[])["kind", "expected", "found", "reason"], name => Assert.NotEqual("", fault.GetProperty(name).GetString())));
        var projected = Assert.Single(faults, fault => fault.GetProperty("kind").GetString() == "wrong_projection");
        Assert.Equal(
            ("job_status", "audited-job-0002", "status \"completed\"", "status \"failed\""),
            (projected.GetProperty("table").GetString(), projected.GetProperty("key").GetString(),
                projected.GetProperty("expected").GetString(), projected.GetProperty("found").GetString()));

        // Whatever reads the event says so, with the same exit code.
        foreach (var verb in (string[][])
        [
            ["job", "history", "audited-job-0001"], ["job", "show", "audited-job-0001"], ["replay", "audited-job-0001"],
            ["replay", "audited-job-0001", "--execute"], ["state"], ["export", "audited-job-0001", "-o", Path.Combine(_node.Home, "forged.tar")],
            ["log", "prove", "audited-job-0001", "-o", _node.Home], ["report", "jobs", "--as-of", head], ["reputation", "list", "--as-of", head],
        ])
        {
            var found = await _node.RunAsync(verb);
            Assert.True(found.ExitCode == 4, $"{string.Join(' ', verb)}: {found}");
            Assert.Contains("is not what its author signed", found.Errors, StringComparison.Ordinal);
        }

        // Only what concerns the job.
        (await _node.RunAsync("audit", "--job", "audited-job-0002")).With(0);
        Assert.Contains("FAULT wrong_digest", (await _node.RunAsync("audit", "--job", "audited-job-0001")).With(4), StringComparison.Ordinal);
        (await _node.RunAsync("audit", "--stream", "ledger")).With(0);
        SarifIsAsTheSchemaHasIt(
            (await _node.RunAsync("audit", "--deep", "--output", "sarif")).With(4),
            (await _node.RunAsync("audit", "--deep", "--output", "sarif")).With(4), faults.Count);
    }

    [Fact]
    public async Task A_head_that_was_kept_finds_a_ledger_that_ends_before_it()
    {
        (await _node.RunAsync("log", "prove", "audited-job-0002", "-o", _node.Home)).With(0);
        var kept = Path.Combine(_node.Home, "kept-head");
        File.Copy(Path.Combine(_node.Data, "log", "checkpoint"), kept);
        var own = Path.Combine(Directory.CreateDirectory(Path.Combine(_node.Home, "auditor")).FullName, "memory");
        var since = (await _node.RunAsync("audit", "--since", kept, "--remember", own)).With(0);
        Assert.Contains("were not verified again", since, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_node.Data, "audit", "last")));
        using var head = JsonDocument.Parse((await _node.RunAsync("audit", "--output", "json")).With(0));
        var last = head.RootElement.GetProperty("head").GetInt64();
        using var heads = await _node.JsonAsync("log", "heads");
        (await _node.RunAsync("audit", "--since", $"{heads.RootElement[0].GetProperty("size").GetInt64()}")).With(0);

        // The tail goes, from every table and from the log's files. Of the node only its database goes on.
        await _node.KillAsync();
        await using (var database = NpgsqlDataSource.Create(_node.Socket))
        await using (var cut = database.CreateCommand(
            $"""
            SET session_replication_role = replica;
            DELETE FROM mt_events WHERE seq_id > {last - 2}; DELETE FROM ml_event_ids WHERE position > {last - 2};
            DELETE FROM ml_log_heads WHERE size > {last - 2};
            UPDATE mt_streams s SET version = e.version, timestamp = e.timestamp
                FROM (SELECT DISTINCT ON (stream_id) * FROM mt_events ORDER BY stream_id, version DESC) e WHERE e.stream_id = s.id;
            DELETE FROM mt_event_progression; SELECT setval('mt_events_sequence', {last - 2})
            """))
        {
            await cut.ExecuteNonQueryAsync();
        }

        Directory.Delete(Path.Combine(_node.Data, "log"), recursive: true);
        File.Delete(Path.Combine(_node.Data, "audit", "last"));
        Assert.DoesNotContain("inconsistent_head", (await _node.RunAsync("audit")).Output, StringComparison.Ordinal);
        foreach (var option in (string[][])[["--since", kept], ["--remember", own], ["--since", "last", "--remember", own]])
        {
            Assert.Contains(
                $"FAULT inconsistent_head: position {last - 2}", (await _node.RunAsync(["audit", .. option])).With(4), StringComparison.Ordinal);
        }

        // What was found clean stays remembered.
        Assert.Contains($"\"size\":{last}", await File.ReadAllTextAsync(own), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_audited_is_told_with_the_exit_code_that_it_has()
    {
        var nothing = Path.Combine(_node.Home, "nothing");
        await File.WriteAllTextAsync(nothing, "nothing\n");
        foreach (var (code, said, arguments) in new (int, string, string[])[]
        {
            (3, "there is no job 'nobody-knows-0001'.", ["--job", "nobody-knows-0001"]),
            (3, "there is no stream 'account-nobody'.", ["--stream", "account-nobody"]),
            (2, "is no job's id", ["--job", "no job"]),
            (2, "expected one of them", ["--job", "audited-job-0001", "--stream", "ledger"]),
            (2, "do not go with --job", ["--job", "audited-job-0001", "--deep"]),
            (3, "there is no file", ["--since", "no-such-head"]),
            (3, "signed no tree head of that size", ["--since", "1000000"]),
            (3, "no audit has remembered", ["--since", "last", "--remember", Path.Combine(_node.Home, "absent")]),
            (2, "neither a signed tree head", ["--since", nothing]),
            (1, "is not what an audit remembers", ["--remember", nothing]),
            (3, "there is no directory", ["--log", Path.Combine(_node.Home, "absent")]),
            (3, "--remember: there is no directory", ["--remember", Path.Combine(_node.Home, "absent", "memory")]),
            (2, "expected a log's key", ["--key", "nonsense"]),
        })
        {
            var result = await _node.RunAsync(["audit", .. arguments]);
            result.With(code);
            Assert.Contains(said, result.Errors, StringComparison.Ordinal);
        }

        var refused = await _node.RunAsync("job", "list", "--output", "sarif");
        refused.With(2);
        Assert.Contains("expected text, json or jsonl, found 'sarif'", refused.Errors, StringComparison.Ordinal);
    }

    /// <summary>What SARIF 2.1.0 requires of what is used of it, and that a fault keeps its fingerprint.</summary>
    private static void SarifIsAsTheSchemaHasIt(string text, string again, int faults)
    {
        using var document = JsonDocument.Parse(text);
        using var other = JsonDocument.Parse(again);
        var log = document.RootElement;
        Assert.Equal("2.1.0", log.GetProperty("version").GetString());
        Assert.EndsWith("sarif-2.1.0.json", log.GetProperty("$schema").GetString(), StringComparison.Ordinal);
        var run = Assert.Single(log.GetProperty("runs").EnumerateArray());
        var driver = run.GetProperty("tool").GetProperty("driver");
        Assert.Equal("meshledger audit", driver.GetProperty("name").GetString());
        var rules = driver.GetProperty("rules").EnumerateArray().ToList();
        Assert.Equal(rules.Count, rules.Select(rule => rule.GetProperty("id").GetString()).Distinct().Count());
        Assert.All(rules, rule => Assert.NotEqual("", rule.GetProperty("shortDescription").GetProperty("text").GetString()));
        Assert.True(run.GetProperty("invocations")[0].GetProperty("executionSuccessful").GetBoolean());
        Assert.Equal(4, run.GetProperty("invocations")[0].GetProperty("exitCode").GetInt32());
        var results = run.GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(faults, results.Count);
        foreach (var result in results)
        {
            var rule = result.GetProperty("ruleId").GetString();
            Assert.Equal(rule, rules[result.GetProperty("ruleIndex").GetInt32()].GetProperty("id").GetString());
            Assert.Equal("error", result.GetProperty("level").GetString());
            Assert.NotEqual("", result.GetProperty("message").GetProperty("text").GetString());
            var locations = Assert.Single(result.GetProperty("locations").EnumerateArray()).GetProperty("logicalLocations");
            Assert.All(locations.EnumerateArray(), place => Assert.All(
                (string[])["name", "fullyQualifiedName", "kind"], name => Assert.NotEqual("", place.GetProperty(name).GetString())));
            Assert.NotEqual(0, locations.GetArrayLength());
            Assert.Equal(64, result.GetProperty("partialFingerprints").GetProperty("faultPlace/v1").GetString()!.Length);
        }

        static IEnumerable<string?> Fingerprints(JsonElement log) => log.GetProperty("runs")[0].GetProperty("results").EnumerateArray()
            .Select(result => result.GetProperty("partialFingerprints").GetProperty("faultPlace/v1").GetString());
        Assert.Equal(Fingerprints(log), Fingerprints(other.RootElement));
        Assert.Equal(faults, Fingerprints(log).Distinct().Count());
    }
}
