using System.Globalization;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary><c>query</c> and <c>report</c>, asked of a node and of a ledger that no node keeps up.</summary>
public sealed class QueryTests(QueryTests.QueriedNode queried) : IClassFixture<QueryTests.QueriedNode>
{
    private const string Hostile = "=cmd|' /C calc'!A0\\u001b[31m\\u202e</td><script>alert(1)</script>\\\"";

    [Fact]
    public async Task Each_filter_finds_what_it_says_and_pages_have_every_event_once()
    {
        var node = queried.Node;
        var all = await EventsAsync(node, "--limit", "10000");
        Assert.Equal(Enumerable.Range(1, all.Count), all.Select(row => row.GetProperty("position").GetInt32()));

        async Task<int> CountAsync(params string[] filter) => (await EventsAsync(node, [.. filter, "--limit", "10000"])).Count;
        int Of(Func<JsonElement, bool> isSo) => all.Count(isSo);
        string Text(JsonElement row, string member) => row.GetProperty(member).GetString()!;

        Assert.Equal(
            Of(row => Text(row, "type") is "job_completed" or "bid_placed"),
            await CountAsync("--type", "job_completed", "--type", "bid_placed"));
        var second = Of(row => Text(row, "stream") == "job-found-job-0002");
        Assert.True(second > 5);
        foreach (var filter in (string[][])
            [
                ["--job", "found-job-0002"], ["--stream", "job-found-job-0002*"], ["--text", "zeb* SECOND"],
                ["--namespace", "second", "--operation", "system.echo", "--label", "number=2", "--label", "team=a=b"],
            ])
        {
            Assert.Equal(second, await CountAsync(filter));
        }

        Assert.Equal(0, await CountAsync("--namespace", "second", "--label", "number=1"));
        var worker = Text(all.First(row => Text(row, "type") == "receipt_issued"), "by");
        Assert.Equal(Of(row => Text(row, "by") == worker), await CountAsync("--by", worker));

        // Worker and node have one name.
        Assert.Equal(6, await CountAsync("--by", "alpha", "--type", "receipt_issued", "--type", "job_completed"));
        var middle = all[all.Count / 2];
        var time = Text(middle, "time");
        Assert.Equal(
            Of(row => string.CompareOrdinal(Text(row, "time"), time) >= 0), await CountAsync("--from", time));
        Assert.Equal(5, await CountAsync("--after", "10", "--before", "16"));

        await PageAsync(node, newest: false, all.Count);
        await PageAsync(node, newest: true, all.Count);
        var missing = await node.RunAsync("query", "--by", "nobody");
        Assert.Contains("meshledger worker list", missing.Errors + missing.With(3), StringComparison.Ordinal);

        // Without a node the same comes out, and so it does when the read models were lost.
        await node.StopAsync();
        (await node.RunAsync("projections", "rebuild", "event_index")).With(0);
        Assert.Equal(second, await CountAsync("--text", "zebra second"));
        (await node.RunAsync("audit")).With(0);
        await node.StartAsync();
    }

    [Fact]
    public async Task Formats_agree_and_nothing_that_a_document_says_does_harm()
    {
        var node = queried.Node;
        var json = await EventsAsync(node, "--type", "job_submitted");
        var lines = (await node.RunAsync("query", "--type", "job_submitted", "--output", "jsonl")).With(0)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(json.Select(row => row.GetProperty("digest").GetString()), lines.Select(Digest));
        var csv = (await node.RunAsync("query", "--type", "job_submitted", "--output", "csv")).With(0);
        var rows = CsvText.Read(csv);
        Assert.Equal(json.Select(row => row.GetProperty("digest").GetString()), rows.Select(row => row["digest"]));
        Assert.All(rows, row => Assert.Equal(
            "folder", JsonDocument.Parse(row["data"]).RootElement.GetProperty("transport").GetString()));
        foreach (var format in (string[])["text", "csv", "json", "jsonl"])
        {
            foreach (var verb in (string[])["query", "report jobs --by namespace"])
            {
                var shown = (await node.RunAsync([.. verb.Split(' '), "--output", format])).With(0);
                Assert.DoesNotContain(shown, letter => letter is (< ' ' and not '\n') or '\u202E' or '\u009B');
            }
        }

        // A spreadsheet would run it.
        var report = CsvText.Read((await node.RunAsync("report", "jobs", "--by", "namespace", "--output", "csv")).With(0));
        Assert.Contains(report, row => row["namespace"].StartsWith("'=cmd|", StringComparison.Ordinal));
        Assert.DoesNotContain(report.SelectMany(row => row.Values), value => value.Length > 0 && "=+-@".Contains(value[0]));
        var refused = await node.RunAsync("job", "list", "--output", "csv");
        refused.With(2);
        Assert.Contains("found 'csv', which is for query and report alone", refused.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("report jobs")]
    [InlineData("report jobs --output json")]
    [InlineData("query --output csv")]
    [InlineData("audit")]
    [InlineData("state accounts")]
    [InlineData("query --help")]
    public async Task A_full_disk_is_told_in_a_line(string typed)
    {
        var result = await Meshledger.RunAsync(
            ["-c", "exec \"$0\" \"$@\" > /dev/full", Meshledger.Program, .. typed.Split(' '), "--data", queried.Node.Data],
            null, [], "/bin/sh");
        result.With(1);
        Assert.Contains("No space left on device", Assert.Single(result.Errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reports_come_in_every_format_and_as_pages_that_need_nothing_else()
    {
        var node = queried.Node;
        using (var jobs = await node.JsonAsync("report", "jobs"))
        {
            var row = jobs.RootElement.GetProperty("rows")[0];
            Assert.Equal((3, 3, 10_000), (Figure(row, "jobs"), Figure(row, "completed"), Figure(row, "success_bp")));
        }

        using (var workers = await node.JsonAsync("report", "workers"))
        {
            var row = workers.RootElement.GetProperty("rows")[0];
            Assert.Equal(("alpha", 3, 30), (row.GetProperty("worker_id").GetString(), Figure(row, "runs"), Figure(row, "reputation")));
        }

        // As it was when the first job was submitted, which then had not ended.
        var submitted = (await EventsAsync(node, "--type", "job_submitted"))[0].GetProperty("position").GetInt32();
        using (var then = await node.JsonAsync("report", "jobs", "--as-of", $"{submitted}"))
        {
            var row = then.RootElement.GetProperty("rows")[0];
            Assert.Equal((1, 1, 0), (Figure(row, "jobs"), Figure(row, "open"), Figure(row, "completed")));
        }

        foreach (var report in (string[])["jobs", "jobs --by namespace", "jobs --by day", "workers", "accounts", "throughput", "failures"])
        {
            var file = Path.Combine(node.Home, "report.html");
            (await node.RunAsync(["report", .. report.Split(' '), "--html", file])).With(0);
            HtmlPages.Check(await File.ReadAllTextAsync(file), charts: report != "failures");
            Assert.False(File.Exists(file + ".tmp"));
        }

        (await node.RunAsync("report", "jobs", "--html", Path.Combine(node.Home, "no", "such.html"))).With(3);
        (await node.RunAsync("report", "jobs", "--html", node.Home)).With(2);
        (await node.RunAsync("report", "jobs", "--as-of", "99999")).With(3);
    }

    [Fact]
    public async Task A_point_is_spelled_alike_for_every_verb()
    {
        var node = queried.Node;
        var submitted = (await EventsAsync(node, "--type", "job_submitted", "--job", "found-job-0002"))[0];
        var position = submitted.GetProperty("position").GetInt32();
        var time = submitted.GetProperty("appended_at").GetString()!;
        foreach (var verb in (string[])["report jobs --as-of", "reputation list --as-of", "reputation show alpha --as-of", "state accounts --at"])
        {
            async Task<string> At(string point) =>
                (await node.RunAsync([.. verb.Split(' '), point, "--output", "jsonl"])).With(0);
            Assert.Equal(Rows(await At($"{position}")), Rows(await At($"position:{position}")));
            Assert.NotEmpty(await At(time));
            Assert.Contains("the log ends at position", (await node.RunAsync([.. verb.Split(' '), "position:99999"])).Errors, StringComparison.Ordinal);
        }

        (await node.RunAsync("replay", "found-job-0002", "--at", $"{position}")).With(0);
        (await node.RunAsync("replay", "found-job-0002", "--at", "v1")).With(0);

        // What was asked for is not what came of it.
        static string Rows(string shown) => string.Join('\n', shown.Split('\n').Select(line =>
            System.Text.RegularExpressions.Regex.Replace(line, "\"at\":(\"[^\"]*\"|null),?", "")));
    }

    [Fact]
    public async Task Whoever_is_shown_can_be_asked_for_as_he_is_shown()
    {
        var node = queried.Node;
        var key = (await EventsAsync(node, "--type", "job_submitted"))[0].GetProperty("by").GetString()!;
        var shown = $"{key.AsSpan("did:key:".Length, 4)}…{key.AsSpan(key.Length - 8)}";
        Assert.Contains($"submitter {shown}", (await node.RunAsync("query", "--type", "job_submitted")).With(0), StringComparison.Ordinal);
        foreach (var name in (string[])["submitter", shown, $"submitter {shown}", $"did:key:{shown}", shown.Replace("…", "...", StringComparison.Ordinal), key, key["did:key:".Length..]])
        {
            Assert.Equal(3, (await EventsAsync(node, "--by", name, "--type", "job_submitted")).Count);
            using var account = await node.JsonAsync("account", "show", name);
            Assert.Equal(key, Assert.Single(account.RootElement.EnumerateArray()).GetProperty("owner").GetString());
        }

        Assert.Equal(3, (await EventsAsync(node, "--by", "worker alpha", "--type", "receipt_issued")).Count);
        (await node.RunAsync("account", "show", "alpha")).With(0);
        Assert.Contains("is short for 3 keys", (await node.RunAsync("query", "--by", "z6Mk…")).Errors, StringComparison.Ordinal);
        foreach (var verb in (string[])["query --by nobody", "query --by …", "account show nobody", "account show z6Mk…nobody12"])
        {
            var result = await node.RunAsync(verb.Split(' '));
            result.With(3);
            Assert.Contains("meshledger account list --output json", result.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_report_says_what_its_rows_are_by()
    {
        using var throughput = await queried.Node.JsonAsync("report", "throughput");
        Assert.Equal("day", throughput.RootElement.GetProperty("by").GetString());
        using var accounts = await queried.Node.JsonAsync("report", "accounts");
        using var listed = await queried.Node.JsonAsync("account", "list");
        foreach (var member in (string[])["escrow", "received", "paid", "granted"])
        {
            Assert.Equal(
                listed.RootElement.EnumerateArray().Sum(row => Figure(row, member)),
                accounts.RootElement.GetProperty("rows").EnumerateArray().Sum(row => Figure(row, member)));
        }
    }

    private static int Figure(JsonElement row, string member) => row.GetProperty(member).GetInt32();

    private static string? Digest(string line)
    {
        using var row = JsonDocument.Parse(line);
        return row.RootElement.GetProperty("digest").GetString();
    }

    private static async Task PageAsync(TestNode node, bool newest, int count)
    {
        var found = new List<int>();
        string[] from = [];
        while (true)
        {
            string[] order = newest ? ["--newest"] : [];
            using var page = await node.JsonAsync(["query", "--limit", "17", .. order, .. from]);
            found.AddRange(page.RootElement.GetProperty("events").EnumerateArray()
                .Select(row => row.GetProperty("position").GetInt32()));
            if (!page.RootElement.GetProperty("more").GetBoolean())
            {
                break;
            }

            from = [newest ? "--before" : "--after", found[^1].ToString(CultureInfo.InvariantCulture)];
        }

        var expected = Enumerable.Range(1, count);
        Assert.Equal(newest ? expected.Reverse() : expected, found);
    }

    private static async Task<List<JsonElement>> EventsAsync(TestNode node, params string[] filter)
    {
        using var page = await node.JsonAsync(["query", .. filter]);
        return [.. page.RootElement.GetProperty("events").Clone().EnumerateArray()];
    }

    /// <summary>Three jobs that ended, each in a namespace of its own, of which one means harm. Payments come with the end,
    /// so nothing follows.</summary>
    public sealed class QueriedNode : IAsyncLifetime
    {
        public TestNode Node { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Node = await TestNode.StartAsync("--name", "alpha");
            string[] namespaces = ["first", "second", Hostile];
            for (var i = 1; i <= namespaces.Length; i++)
            {
                var metadata = $$$"""
                    {"namespace":"{{{namespaces[i - 1]}}}","labels":{"number":"{{{i}}}","team":"a=b"}}
                    """;
                var job = TestNode.Echo($"found-job-000{i}", $"\"A Zebra, {(i == 2 ? "second" : "other")}: {Hostile}\"")
                    .Replace("\"payload\"", $"\"metadata\":{metadata},\"payload\"", StringComparison.Ordinal);
                Node.Drop($"{i}.json", job);
                (await Node.RunAsync("job", "wait", $"found-job-000{i}")).With(0);
            }
        }

        public async Task DisposeAsync() => await Node.DisposeAsync();
    }
}
