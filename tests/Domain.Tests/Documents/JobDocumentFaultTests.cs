using System.Text;
using MeshLedger.Domain.Documents;
using static MeshLedger.Domain.Tests.Documents.JobDocumentSamples;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class JobDocumentFaultTests
{
    private const string Item = "a string of 1 to 256 characters";
    private const string List = "a list of at most 256 strings of 1 to 256 characters";
    private const string Json = "one JSON value without comments or trailing commas (RFC 8259)";
    private const string Timestamp = "a timestamp such as 2026-01-30T16:00:00Z (RFC 3339)";
    private const string Operation =
        "an operation such as system.echo: two or more parts of A-Z a-z 0-9 _ - joined by dots, at most 128 characters";

    private const string PayloadType =
        "a payload type such as system.echo.v1: three or more parts of A-Z a-z 0-9 _ - joined by dots, the last of them "
        + "v and a number, at most 160 characters";

    /// <summary>A piece of the minimal document, what stands there instead, and the one fault that follows.</summary>
    public static TheoryData<string, string, string, string, string> OneFault => new()
    {
        { "\"1.0\"", "\"2.0\"", "/version", "the string \"1.0\"", "\"2.0\"" },
        { "\"1.0\"", "1.0", "/version", "the string \"1.0\"", "1.0" },
        { "\"version\":\"1.0\",", "", "/version", "the string \"1.0\"", "nothing" },
        { "\"echo-test-001\"", "\"short\"", "/job_id", "a job id: 8 to 128 characters from A-Z a-z 0-9 . _ : -", "\"short\"" },
        { "2026-01-30T", "2026-02-30T", "/created_at", Timestamp, "\"2026-02-30T16:00:00Z\"" },
        { "00Z", "60Z", "/created_at", Timestamp, "\"2026-01-30T16:00:60Z\"" },
        { "\"2026-01-30T16:00:00Z\"", "null", "/created_at", Timestamp, "null" },
        { "VMOperation", "vmoperation", "/kind", "the string \"VMOperation\"", "\"vmoperation\"" },
        { "\"system.echo\"", "\"echo\"", "/operation", Operation, "\"echo\"" },
        { "\"system.echo\"", "\".\"", "/operation", Operation, "\".\"" },
        { "system.echo.v1", "system.echo", "/payload/type", PayloadType, "\"system.echo\"" },
        { "system.echo.v1", "system.echo.v", "/payload/type", PayloadType, "\"system.echo.v\"" },
        { "\"system.echo.v1\"", "[ 1,\\n  2 ]", "/payload/type", PayloadType, "[ 1, 2 ]" },
        { ",\"data\":null", "", "/payload/data", "any JSON value, at least null", "nothing" },
        { "{\"type\":\"system.echo.v1\",\"data\":null}", "null", "/payload", "an object with the members type and data", "null" },
        { ",\"payload\":{\"type\":\"system.echo.v1\",\"data\":null}", "", "/payload", "an object with the members type and data", "nothing" },
        { "null}}", "null},\"$schema\":1}", "/$schema", "a string", "1" },
        { "null}}", "null},\"metadata\":[]}", "/metadata", "an object", "[]" },
        { "null}}", "null},\"metadata\":{\"labels\":{\"a/b~c\":1}}}", "/metadata/labels/a~1b~0c", "a string", "1" },
        { "null}}", "null},\"execution\":{\"priority\":11}}", "/execution/priority", "an integer from 1 to 10", "11" },
        { "null}}", "null},\"execution\":{\"priority\":5.5}}", "/execution/priority", "an integer from 1 to 10", "5.5" },
        { "null}}", "null},\"execution\":{\"priority\":\"5\"}}", "/execution/priority", "an integer from 1 to 10", "\"5\"" },
        { "null}}", "null},\"execution\":{\"priority\":null}}", "/execution/priority", "an integer from 1 to 10", "null" },
        { "null}}", "null},\"execution\":{\"priority\":4294967301}}", "/execution/priority", "an integer from 1 to 10", "4294967301" },
        { "null}}", "null},\"execution\":{\"timeout_seconds\":1e999999999999999999999}}", "/execution/timeout_seconds", "an integer from 1 to 604800 (7 days)", "1e999999999999999999999" },
        { "null}}", "null},\"execution\":{\"timeout_seconds\":1.00000000000000000000000000000001}}", "/execution/timeout_seconds", "an integer from 1 to 604800 (7 days)", "1.00000000000000000000000000000001" },
        { "null}}", "null},\"execution\":{\"attempt\":0}}", "/execution/attempt", "an integer from 1 to 100", "0" },
        { "null}}", "null},\"execution\":{\"attempt\":4,\"max_attempts\":3}}", "/execution/attempt", "an integer from 1 to max_attempts, which is 3", "4" },
        { "null}}", "null},\"execution\":{\"attempt\":2}}", "/execution/attempt", "an integer from 1 to max_attempts, which is 1", "2" },
        { "null}}", "null},\"execution\":{\"attempt\":2,\"max_attempts\":\"3\"}}", "/execution/max_attempts", "an integer from 1 to 100", "\"3\"" },
        { "null}}", "null},\"execution\":{\"cancellable\":null}}", "/execution/cancellable", "true or false", "null" },
        { "null}}", "null},\"execution\":{\"idempotency_key\":\"\"}}", "/execution/idempotency_key", "a string of 1 to 512 characters", "\"\"" },
        { "null}}", "null},\"execution\":{\"retry_on\":[\"TIMEOUT\",\"\"]}}", "/execution/retry_on/1", Item, "\"\"" },
        { "null}}", "null},\"execution\":{\"retry_on\":\"TIMEOUT\"}}", "/execution/retry_on", List, "\"TIMEOUT\"" },
        { "null}}", "null},\"execution\":{\"deadline\":\"tomorrow\"}}", "/execution/deadline", Timestamp, "\"tomorrow\"" },
        { "null}}", "null},\"constraints\":{\"required_features\":[\"lvm\",1]}}", "/constraints/required_features/1", Item, "1" },
        { "null}}", "null},\"constraints\":{\"required_features\":[\"lvm\",\"\"]}}", "/constraints/required_features/1", Item, "\"\"" },
        { "null}}", "null},\"constraints\":{\"required_features\":{}}}", "/constraints/required_features", List, "{}" },
        { "null}}", "null},\"constraints\":{\"minimum_worker_version\":\"\"}}", "/constraints/minimum_worker_version", "a semantic version such as 1.4.0 or 1.4.0-rc.2 (semver.org 2.0.0)", "\"\"" },
        { "null}}", "null},\"constraints\":{\"maximum_disk_size_gb\":9007199254740992}}", "/constraints/maximum_disk_size_gb", "an integer from 0 to 9007199254740991", "9007199254740992" },
        { "null}}", "null},\"routing\":{\"anti_affinity\":{\"rack\":[\"r1\",null]}}}", "/routing/anti_affinity/rack/1", Item, "null" },
        { "null}}", "null},\"routing\":{\"anti_affinity\":{\"rack\":[\"r1\",\"\"]}}}", "/routing/anti_affinity/rack/1", Item, "\"\"" },
        { "null}}", "null},\"market\":{\"resources\":{\"cpu_cores\":0}}}", "/market/resources/cpu_cores", "an integer from 1 to 4096", "0" },
        { "null}}", "null},\"market\":{\"bid_window_ms\":600001}}", "/market/bid_window_ms", "an integer from 0 to 600000", "600001" },
        { "null}}", "null},\"market\":{\"replicas\":0}}", "/market/replicas", "an integer from 1 to 15", "0" },
        { "null}}", "null},\"market\":{\"replicas\":16}}", "/market/replicas", "an integer from 1 to 15", "16" },
        { "null}}", "null},\"market\":{\"replicas\":null}}", "/market/replicas", "an integer from 1 to 15", "null" },
        { "null}}", "null},\"market\":{\"adaptive_replication\":1}}", "/market/adaptive_replication", "true or false", "1" },
        { "null}}", "null},\"observability\":{\"trace_id\":7}}", "/observability/trace_id", "a string", "7" },
        { "null}}", "null},\"audit\":{\"authorization\":{\"method\":\"m\"}}}", "/audit/authorization/subject", "a string", "nothing" },
        { "null}}", "null},\"audit\":{\"authorization\":{\"method\":\"m\",\"subject\":null}}}", "/audit/authorization/subject", "a string", "null" },
        { "null}}", "{\"a\":[0,{\"b\":1,\"c\":2,\"\\\\u0062\":3}]}}}", "/payload/data/a/1/b", "a member name only once in its object", "3" },
        { "null}}", "null},\"kind\":\"VMOperation\"}", "/kind", "a member name only once in its object", "\"VMOperation\"" },
        { "null}}", "[\"a\\\\u0000\"]}}", "/payload/data/0", "a string without U+0000", "\"a\\\\u0000\"" },
        { "null}}", "\"\\\\ud83d\"}}", "/payload/data", "a string without lone surrogates", "\"\\\\ud83d\"" },
        { "null}}", "\"\\\\ude00\\\\ud83d\"}}", "/payload/data", "a string without lone surrogates", "\"\\\\ude00\\\\ud83d\"" },
        { "null}}", "{\"\\\\uD800x\":1}}}", "/payload/data/\\\\uD800x", "a member name without U+0000 and lone surrogates", "1" },
        { "null}}", "{\"\\\\u0000\":1}}}", "/payload/data/\\\\u0000", "a member name without U+0000 and lone surrogates", "1" },
        { "system.echo\"", "system.\\\\ud800\"", "/operation", "a string without lone surrogates", "\"system.\\\\ud800\"" },
        { "null}}", "null}", "", Json, "the end of the text at line 1, byte 173" },
        { "null}}", "null}}\\n {}", "", Json, "'{}' at line 2, byte 2" },
        { "null}}", "null},}", "", Json, "'}' at line 1, byte 174" },
        { "null}}", "null/*why*/}}", "", Json, "'/*why*/}}' at line 1, byte 172" },
        { "null}}", "NaN}}", "", Json, "'NaN}}' at line 1, byte 168" },
        { "null}}", "bad }}\\n", "", Json, "'bad }}' at line 1, byte 168" },
        { "null}}", "\"a\\n\"}}", "", Json, "the byte 0A at line 1, byte 170" },
    };

    [Theory]
    [MemberData(nameof(OneFault))]
    public void A_fault_says_where_what_was_expected_and_what_was_found(
        string piece, string instead, string pointer, string expected, string found)
    {
        Assert.Contains(piece, Minimal, StringComparison.Ordinal);
        var reading = Read(Minimal.Replace(piece, Unescape(instead), StringComparison.Ordinal));

        Assert.Equal(new DocumentFault(Unescape(pointer), expected, Unescape(found)), Assert.Single(reading.Faults));
        Assert.Null(reading.Document);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("1")]
    public void A_document_is_an_object(string json) =>
        Assert.Equal([new DocumentFault("", "an object", json)], Read(json).Faults);

    [Theory]
    [InlineData("", "the end of the text at line 1, byte 1")]
    [InlineData("\n\n  ", "the end of the text at line 3, byte 3")]
    public void Nothing_is_no_document(string json, string found) =>
        Assert.Equal([new DocumentFault("", Json, found)], Read(json).Faults);

    [Fact]
    public void All_faults_come_at_once_in_the_order_of_the_document()
    {
        var reading = Read(
            """
            {
              "version": 1, "kind": "Job", "operation": "echo", "created_at": "yesterday",
              "execution": {"priority": 0, "attempt": "first", "timeout_seconds": null},
              "constraints": {"required_features": ["", 3, "ok"], "minimum_worker_version": "1"},
              "payload": {"type": "echo", "type": "system.echo.v1"},
              "audit": {"authorization": {}}
            }
            """);

        Assert.Equal(
            [
                "/job_id", "/version", "/kind", "/operation", "/created_at", "/execution/priority", "/execution/attempt",
                "/execution/timeout_seconds", "/constraints/required_features/0", "/constraints/required_features/1",
                "/constraints/minimum_worker_version", "/payload/data", "/payload/type", "/payload/type",
                "/audit/authorization/method", "/audit/authorization/subject",
            ],
            reading.Faults.Select(fault => fault.Pointer));
    }

    [Fact]
    public void What_was_found_is_cut_at_80_characters()
    {
        var found = Assert.Single(Read(Minimal.Replace("1.0", new string('9', 5000), StringComparison.Ordinal)).Faults).Found;
        Assert.Equal("\"" + new string('9', 78) + "…", found);

        var clef = string.Concat(Enumerable.Repeat("𝄞", 200));
        found = Assert.Single(Read(Minimal.Replace("1.0", clef, StringComparison.Ordinal)).Faults).Found;
        Assert.True(found.Length <= 80 && found.EndsWith("𝄞…", StringComparison.Ordinal));
    }

    [Fact]
    public void A_hundred_faults_are_listed_and_no_more()
    {
        var labels = string.Join(',', Enumerable.Range(0, 5000).Select(i => $"\"{i}\":{i}"));
        var faults = Read($"{Minimal[..^1]},\"metadata\":{{\"labels\":{{{labels}}}}}}}").Faults;

        Assert.Equal(101, faults.Count);
        Assert.Equal("/metadata/labels/99", faults[99].Pointer);
        Assert.Equal("(document): expected at most 100 faults, found more than are listed", faults[100].ToString());
    }

    [Fact]
    public void A_very_long_name_is_cut_in_pointers()
    {
        var fault = Assert.Single(Read(
            $"{Minimal[..^1]},\"metadata\":{{\"labels\":{{\"{new string('n', 9000)}\":1}}}}}}").Faults);

        Assert.Equal("/metadata/labels/" + new string('n', 255) + "…", fault.Pointer);
    }

    [Fact]
    public void Items_over_a_list_s_limit_are_one_fault()
    {
        string Listed(int count) => $"{Minimal[..^1]},\"constraints\":{{\"required_features\":["
            + string.Join(',', Enumerable.Repeat("\"f\"", count)) + "]}}";

        Assert.True(Read(Listed(256)).IsValid);
        Assert.Equal(List, Assert.Single(Read(Listed(257)).Faults).Expected);
    }

    [Fact]
    public void Duplicates_are_found_among_many_members_and_in_deep_places()
    {
        var many = string.Join(',', Enumerable.Range(0, 50_000).Select(i => $"\"m{i}\":0"));
        var deep = string.Concat(Enumerable.Repeat("{\"d\":", 60)) + "{\"a\":1,\"a\":1}" + new string('}', 60);

        Assert.Equal("/payload/data/m7", Assert.Single(Read(WithData($"{{{many},\"m7\":1}}")).Faults).Pointer);
        Assert.Equal(
            "/payload/data" + string.Concat(Enumerable.Repeat("/d", 60)) + "/a",
            Assert.Single(Read(WithData(deep)).Faults).Pointer);
    }

    [Fact]
    public void Sixty_four_levels_are_accepted_and_one_more_is_not()
    {
        string Nested(int levels) => WithData(new string('[', levels - 2) + new string(']', levels - 2));

        Assert.True(Read(Nested(64)).IsValid);
        Assert.Equal(
            new DocumentFault(
                "/payload/data" + string.Concat(Enumerable.Repeat("/0", 62)),
                "at most 64 levels of objects and arrays",
                "level 65"),
            Assert.Single(Read(Nested(65)).Faults));
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    public void A_megabyte_of_brackets_is_one_fault(char bracket) =>
        Assert.Single(Read(new string(bracket, JobDocument.MaxBytes)).Faults);

    [Fact]
    public void A_mebibyte_is_accepted_and_one_byte_more_is_not()
    {
        var fits = Minimal + new string(' ', JobDocument.MaxBytes - Minimal.Length);

        Assert.True(Read(fits).IsValid);
        Assert.Equal(
            [new DocumentFault("", "at most 1048576 bytes", "1048577 bytes")],
            Read(fits + " ").Faults);
    }

    [Fact]
    public void Bytes_have_to_be_utf_8_without_a_mark()
    {
        var bytes = Encoding.UTF8.GetBytes(Minimal);
        bytes[20] = 0xFF;

        Assert.Equal(
            [new DocumentFault("", "valid UTF-8", "the byte FF at offset 20")],
            JobDocumentReader.Read(bytes).Faults);
        Assert.Equal(
            [new DocumentFault("", "UTF-8 without a byte order mark", "the bytes EF BB BF at the start")],
            Read("\uFEFF" + Minimal).Faults);
        Assert.Equal(
            "the byte ED at offset 1",
            Assert.Single(JobDocumentReader.Read(new byte[] { (byte)'"', 0xED, 0xA0, 0x80, (byte)'"' }).Faults).Found);
    }

    [Fact]
    public void A_hostile_document_is_refused_within_seconds()
    {
        var name = new string('n', 200_000);
        var duplicates = string.Join(',', Enumerable.Repeat("\"a\":1", 100_000));
        string[] hostile =
        [
            WithData($"{{\"{name}\":{{{duplicates}}}}}"),
            WithData($"[{string.Join(',', Enumerable.Repeat("{\"\\u0061\":1,\"a\":1}", 40_000))}]"),
            WithData(new string('9', 900_000))[..^2] + "},\"execution\":{\"priority\":" + new string('9', 90_000) + "}}",
            $"{Minimal[..^1]},\"constraints\":{{\"required_features\":[{string.Join(',', Enumerable.Repeat("1", 400_000))}]}}}}",
        ];

        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.All(hostile, json => Assert.NotEmpty(Read(json).Faults));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
    }

    /// <summary>The table writes a backslash as two, so that it can also write a line break.</summary>
    private static string Unescape(string text) =>
        text.Replace("\\n", "\n", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);

    private static string WithData(string data) => Minimal.Replace("null", data, StringComparison.Ordinal);
}
