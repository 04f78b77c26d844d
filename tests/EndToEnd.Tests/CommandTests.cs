using System.Text;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

public sealed class CommandTests
{
    private static readonly string[] Verbs =
    [
        "", "up", "job", "job submit", "job list", "job show", "job why", "job history", "job watch", "job logs",
        "job outputs", "job wait", "job cancel", "job dead list", "job dead redrive", "replay", "state", "blob", "blob add", "blob get", "blob has",
        "blob info", "blob list", "blob tag", "blob untag", "blob gc", "blob verify", "blob fetch", "blob push", "blob peers",
        "worker", "worker list", "worker show", "worker drain", "worker resume", "worker retire", "reputation show",
        "reputation list", "federation found", "federation grant", "federation revoke", "federation list", "federation show",
        "aid request", "aid template add", "aid template withdraw", "aid list", "aid matches", "account show", "account list",
        "key show", "key new", "log", "log head", "log heads", "log prove", "log verify", "log consistency", "log fsck", "log rotate", "witness", "export", "verify", "query", "report", "audit", "projections list", "projections rebuild", "completion",
    ];

    [Fact]
    public async Task The_help_of_every_verb_is_as_approved()
    {
        var all = new StringBuilder();
        foreach (var verb in Verbs)
        {
            var help = (await Meshledger.RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]))
                .With(0);
            if (verb is not ("" or "job" or "worker" or "blob" or "log"))
            {
                Assert.Contains("Examples:", help, StringComparison.Ordinal);
            }

            all.Append($"$ meshledger {verb} --help\n{help}\n".Replace("  --help", " --help", StringComparison.Ordinal));
        }

        Approved.Check(all.ToString(), "help");
    }

    [Fact]
    public async Task A_completed_job_is_shown_as_approved()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        node.Drop("echo.json", TestNode.Echo("shown-job-0001", "\"hello\""));
        (await node.RunAsync("job", "wait", "shown-job-0001")).With(0);
        var shown = Approved.Scrub((await node.RunAsync("job", "show", "shown-job-0001")).With(0));

        // Whether the node timed the bid depends on how fast it came.
        Approved.Check(shown.Replace("1000000", " (SCORE)", StringComparison.Ordinal)
            .Replace(" SCORE", "  SCORE", StringComparison.Ordinal)
            .Replace("900000", "(SCORE)", StringComparison.Ordinal), "job-show-echo");

        (await node.RunAsync("job", "show", "nobody-knows-0001")).With(3);
        (await node.RunAsync("account", "show", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")).With(3);
        using var object1 = JsonDocument.Parse((await node.RunAsync("job", "show", "shown-job-0001", "--output", "json")).With(0));
        Assert.Equal("completed", object1.RootElement.GetProperty("status").GetString());
    }

    [Fact]
    public async Task What_a_document_says_cannot_steer_the_terminal()
    {
        await using var node = await TestNode.StartAsync();
        node.Drop("evil.json", TestNode.Echo("evil-job-0001", "\"\\u001b]0;owned\\u0007 \\u202e [red]x[/]\""));
        (await node.RunAsync("job", "wait", "evil-job-0001")).With(0);
        foreach (var verb in (string[])["show", "history", "why", "watch", "outputs", "logs"])
        {
            foreach (var format in (string[])["text", "json", "jsonl"])
            {
                var shown = (await node.RunAsync("job", verb, "evil-job-0001", "--output", format)).With(0);
                Assert.DoesNotContain(shown, letter => letter is (< ' ' and not '\n') or '\u202E' or '\u009B');
            }
        }

        foreach (var more in (string[][])[[], ["--diff", "v1", "v9"], ["--execute", "--dry-run"]])
        {
            var shown = (await node.RunAsync(["replay", "evil-job-0001", .. more])).With(0);
            Assert.DoesNotContain(shown, letter => letter is (< ' ' and not '\n') or '\u202E' or '\u009B');
        }
    }

    [Theory]
    [InlineData("job")]
    [InlineData("job lisst")]
    [InlineData("job list --status nonsense")]
    [InlineData("job list --limit 0")]
    [InlineData("job list --output xml")]
    [InlineData("job show x")]
    [InlineData("blob get nothex")]
    [InlineData("up --label novalue")]
    [InlineData("up --concurrency many")]
    [InlineData("up --workers 0")]
    [InlineData("up --owner somebody")]
    [InlineData("job cancel x")]
    [InlineData("job watch")]
    [InlineData("job outputs some-job-0001 --raw --follow")]
    [InlineData("job dead redrive --all some-job-0001")]
    [InlineData("federation found Not_A_Name")]
    [InlineData("aid request")]
    [InlineData("aid request --tag a --parameters []")]
    [InlineData("reputation show alpha --as-of 0")]
    [InlineData("replay x")]
    [InlineData("replay some-job-0001 --at noon")]
    [InlineData("replay some-job-0001 --at v0")]
    [InlineData("replay some-job-0001 --at position:-1")]
    [InlineData("replay some-job-0001 --diff v1")]
    [InlineData("replay some-job-0001 --at v1 --execute")]
    [InlineData("replay some-job-0001 --keep /tmp/nowhere")]
    [InlineData("replay some-job-0001 --execute --keep /")]
    [InlineData("replay some-job-0001 --execute --peer nohost")]
    [InlineData("state --at v3")]
    [InlineData("state everything")]
    [InlineData("aid request --tag a --parameters {")]
    [InlineData("federation grant hospitals alpha --scope Bad_Scope")]
    [InlineData("projections rebuild bogus")]
    [InlineData("query --type no_such_type")]
    [InlineData("query --from yesterday")]
    [InlineData("query --label team")]
    [InlineData("query --text ---")]
    [InlineData("query --job some-job-0001 --stream job-x")]
    [InlineData("report sales")]
    [InlineData("report accounts --by day")]
    [InlineData("report throughput --by operation")]
    [InlineData("report accounts --from 2026-11-21")]
    [InlineData("report jobs --from 2026-11-21 --to 2026-11-21")]
    [InlineData("report jobs --from 2026-11-22 --to 2026-11-21")]
    [InlineData("report jobs --as-of v3")]
    [InlineData("report jobs --as-of position:0")]
    [InlineData("report jobs --output csv --html report.html")]
    [InlineData("reputation list --as-of noon")]
    [InlineData("query --from 2026-11-21T10:00 --to 2026-11-21")]
    [InlineData("query --after 10 --before 5")]
    [InlineData("query --after 10 --before 10")]
    [InlineData("query --stream j*b")]
    [InlineData("query --stream job-ä*")]
    [InlineData("query foo")]
    [InlineData("export some-job-0001 -o jobs.tar --format zip")]
    [InlineData("export some-job-0001 -o jobs.jsonl --format intoto --blobs")]
    [InlineData("job list --output csv")]
    [InlineData("job submit /")]
    [InlineData("completion tcsh")]
    public async Task Wrong_usage_ends_with_2_and_says_what_was_expected(string line)
    {
        var result = await Meshledger.RunAsync([.. line.Split(' '), "--data", "/nowhere/at/all"]);
        result.With(2);
        Assert.StartsWith("meshledger: ", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("\\x", result.Errors, StringComparison.Ordinal);
        Assert.Contains($"\nSee: meshledger {line.Split(' ')[0]}", result.Errors, StringComparison.Ordinal);
        Assert.EndsWith(" --help\n", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("audit --jobs x", "Unrecognized command or argument '--jobs'. Unrecognized command or argument 'x'. Did you mean: --job?")]
    [InlineData("query foo", "Unrecognized command or argument 'foo'.")]
    [InlineData("job shw", "Unrecognized command or argument 'shw'. Did you mean: show?")]
    [InlineData("export some-job-0001 -o jobs.tar --format zip", "--format: expected bundle or intoto, found 'zip'.")]
    public async Task What_may_have_been_meant_is_said_once(string line, string expected) => Assert.Equal(
        $"meshledger: {expected}", (await Meshledger.RunAsync(line.Split(' '))).Errors.Split('\n')[0]);

    [Theory]
    [InlineData("job submit {0}")]
    [InlineData("up --config {0}")]
    [InlineData("aid template add {0} --name a --tag a")]
    [InlineData("aid request --tag a --parameters @{0}")]
    [InlineData("blob add {0}")]
    public async Task A_file_that_is_not_there_ends_with_3_and_its_name(string line)
    {
        await using var node = TestNode.Create();
        foreach (var file in (string[])[Path.Combine(node.Home, "nothing.json"), Path.Combine(node.Home, "@nothing.json")])
        {
            var result = await node.RunAsync(
                [.. line.Split(' ').Select(word => word.Replace("{0}", file, StringComparison.Ordinal))]);
            result.With(3);
            Assert.Equal($"meshledger: there is no file {file}\n", result.Errors);
        }
    }

    [Fact]
    public async Task An_argument_that_begins_with_an_at_sign_is_no_file_of_arguments()
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "arguments");
        await File.WriteAllTextAsync(file, "list");
        var result = await node.RunAsync("job", $"@{file}");
        result.With(2);
        Assert.Contains($"@{file}", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submitting_tells_every_fault_at_once_and_submits_nothing()
    {
        await using var node = TestNode.Create();
        var result = await Meshledger.RunAsync(
            ["job", "submit", "-", "--data", node.Data], """{"version":"2.0","job_id":"x"}"""u8.ToArray(), []);
        result.With(1);
        Assert.Contains("/version: expected", result.Errors, StringComparison.Ordinal);
        Assert.Contains("/job_id: expected", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(node.Folder, "inbox")));
    }

    [Fact]
    public async Task A_submitted_job_is_waited_for_and_a_refused_one_says_why()
    {
        await using var node = await TestNode.StartAsync();
        var file = Path.Combine(node.Home, "a.json");
        await File.WriteAllTextAsync(file, TestNode.Echo("twice-job-0001", "1"));
        var first = await node.RunAsync("job", "submit", file, "--wait");
        first.With(0);
        Assert.DoesNotContain("is known", first.Errors, StringComparison.Ordinal);
        var again = await node.RunAsync("job", "submit", file, "--wait");
        again.With(0);
        Assert.Contains("job twice-job-0001 is known already: completed.\n", again.Errors, StringComparison.Ordinal);
        using var submitted = await node.JsonAsync("job", "submit", file);
        Assert.Equal("completed", submitted.RootElement[0].GetProperty("known").GetString());
        await File.WriteAllTextAsync(file, TestNode.Echo("twice-job-0001", "2"));
        var other = await node.RunAsync("job", "submit", file, "--wait");
        Assert.Contains("JOB_ID_TAKEN", other.With(1), StringComparison.Ordinal);
        Assert.Contains("is known with other content", other.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Blobs_and_keys_need_no_node()
    {
        await using var node = TestNode.Create();
        var added = await Meshledger.RunAsync(["blob", "add", "-", "--data", node.Data], "content"u8.ToArray(), []);
        var hash = added.With(0).Trim();
        Assert.Equal("content", (await node.RunAsync("blob", "get", hash)).With(0));
        Assert.Equal("7 bytes\n", (await node.RunAsync("blob", "has", hash)).With(0));
        (await node.RunAsync("blob", "has", new string('f', 64))).With(3);
        (await node.RunAsync("blob", "get", new string('f', 64))).With(3);
        var key = Path.Combine(node.Home, "new.key");
        var did = (await node.RunAsync("key", "new", key)).With(0);
        Assert.StartsWith("did:key:z6Mk", did, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        (await node.RunAsync("key", "new", key)).With(1);
        (await node.RunAsync("key", "show")).With(3);
        (await node.RunAsync("audit")).With(1);
    }

    [Fact]
    public async Task Bash_completes_verbs_and_options()
    {
        var script = $$"""
            PATH="{{Path.GetDirectoryName(Meshledger.Program)}}:$PATH"
            source <(meshledger completion bash)
            try() { COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$1"
                [[ $1 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _meshledger; echo "${COMPREPLY[*]}"; }
            try "meshledger pro"
            try "meshledger job hi"
            try "meshledger job list --sta"
            try "meshledger fed"
            try "meshledger worker re"
            try "meshledger job dead re"
            """;
        var result = await Meshledger.RunAsync(["-c", script], null, [], program: "/bin/bash");
        Assert.Equal("projections\nhistory\n--status\nfederation\nresume retire\nredrive\n", result.With(0));
    }

    [Fact]
    public async Task The_version_is_told() =>
        Assert.StartsWith("0.1.0", (await Meshledger.RunAsync("--version")).With(0), StringComparison.Ordinal);
}
