using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Documents;

namespace MeshLedger.Domain.Tests.Documents;

/// <summary>The schema file and the reader must accept the same documents; the schema is what other languages see.
/// </summary>
public sealed class SchemaAgreementTests
{
    private static readonly JsonElement Schema = JsonElement.Parse(
        File.ReadAllBytes(Path.Combine(JobDocumentSamples.Root, "schemas", "documents", "job-v1.schema.json")));

    private static readonly string[] Values =
    [
        "null", "true", "false", "{}", "[]", "\"\"", "\"x\"", "{\"a\":1}", "{\"a\":\"b\"}", "{\"a\":null}", "{\"a\":[]}",
        "{\"a\":[\"b\"]}", "{\"a\":[\"\"]}", "{\"a\":[1]}", "{\"\":\"\"}", "[\"a\"]", "[\"a\",\"a\"]", "[\"\"]", "[1]",
        "[null]", "[[\"a\"]]", "-1", "0", "-0", "0.0", "1", "1.0", "1.5", "1e0", "10e-1", "1e-1", "2", "10", "11", "1e1",
        "100", "100.0", "101", "4096", "4097", "600000", "600001", "604800", "604801", "67108864", "67108865",
        "1000000000000", "1000000000001", "1e12", "9007199254740991", "9007199254740992", "1e30", "-1e30", "1e300",
        "\"1.0\"", "\"1\"", "\"2.0\"", "\"VMOperation\"", "\"vmoperation\"", "\"7 chars\"", "\"1234567\"", "\"12345678\"",
        "\"a.b\"", "\"a.b.c\"", "\"a.b.v1\"", "\"a.b.v\"", "\"a.b.v1a\"", "\"a.b.v01\"", "\"a.v1\"", "\"a..v1\"",
        "\".a.v1\"", "\"a.b.v1.\"", "\"a.b.v1\\n\"", "\"a.b.V1\"", "\".\"", "\"a.\"", "\"a b.c\"", "\"ä.b\"", "\"a.b-_9\"",
        "\"2026-01-30T16:00:00Z\"", "\"2026-01-30T16:00:00\"", "\"2026-01-30 16:00:00Z\"", "\"2026-01-30T16:00Z\"",
        "\"2026-01-30T16:00:00.Z\"", "\"2026-01-30T16:00:00.1Z\"", "\"2026-01-30T16:00:00.123456789+01:00\"",
        "\"2026-01-30T16:00:00.1234567890Z\"", "\"2026-01-30T24:00:00Z\"", "\"2026-01-30T23:60:00Z\"",
        "\"2026-01-30T23:59:60Z\"", "\"2026-13-01T00:00:00Z\"", "\"2026-00-01T00:00:00Z\"", "\"2026-04-31T00:00:00Z\"",
        "\"2026-02-30T00:00:00Z\"", "\"2024-02-29T00:00:00Z\"", "\"2026-06-00T00:00:00Z\"", "\"0000-01-01T00:00:00Z\"",
        "\"2026-01-30t16:00:00z\"", "\"2026-01-30T16:00:00+24:00\"", "\"2026-01-30T16:00:00+1:00\"",
        "\"2026-01-30T16:00:00-23:59\"", "\"2026-01-30T16:00:00Z\\n\"", "\"٢026-01-30T16:00:00Z\"",
        "\"1.2.3\"", "\"1.2\"", "\"01.2.3\"", "\"1.2.3-rc.1\"", "\"1.2.3-01\"", "\"1.2.3-0a+01\"", "\"1.2.3+\"",
        "\"1.2.3-\"", "\"1.2.3-a..b\"", "\"99999999999999999999.0.0\"", "\"1.2.3\\n\"",
    ];

    [Fact]
    public void The_schema_s_own_examples_are_valid()
    {
        Assert.Equal(2, Schema.GetProperty("examples").GetArrayLength());
        Assert.All(Schema.GetProperty("examples").EnumerateArray(), example =>
            Assert.Empty(JobDocumentSamples.Read(example.GetRawText()).Faults));
    }

    [Fact]
    public void Schema_and_reader_accept_the_same_documents()
    {
        var checker = new SchemaChecker(Schema);
        var (accepted, refused) = (0, 0);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var json in Documents())
        {
            var document = JsonElement.Parse(json);
            if (!seen.Add(json) || AttemptsAreCrossed(document))
            {
                continue;
            }

            var bySchema = checker.Accepts(document);
            var reading = JobDocumentReader.Read(Encoding.UTF8.GetBytes(json));
            Assert.True(
                bySchema == reading.IsValid,
                $"schema says {bySchema}, reader says {reading.IsValid}: {string.Join("; ", reading.Faults)}\n{json}");
            _ = reading.IsValid ? accepted++ : refused++;
        }

        Assert.True(accepted >= 2000, $"only {accepted} were accepted");
        Assert.True(refused >= 5000, $"only {refused} were refused");
    }

    [Fact]
    public void Every_member_of_the_schema_is_mutated()
    {
        var full = JsonNode.Parse(JobDocumentSamples.Full)!;
        var described = Described(Schema, "").Order(StringComparer.Ordinal);
        var present = Places(full).Select(place => place.Path).ToHashSet(StringComparer.Ordinal);

        Assert.All(described, path => Assert.Contains(path, present));
    }

    [Fact]
    public void An_unknown_keyword_is_not_passed_over()
    {
        var checker = new SchemaChecker(JsonElement.Parse("""{"multipleOf":2}"""));

        Assert.Throws<NotSupportedException>(() => checker.Accepts(JsonElement.Parse("4")));
    }

    /// <summary>Each value at each place, each member left out, an unknown member in each object, and a few thousand
    /// documents with several changes, most of them of few members so that a good part stays valid.</summary>
    private static IEnumerable<string> Documents()
    {
        yield return JobDocumentSamples.Minimal;
        yield return JobDocumentSamples.Full;
        var longTexts = new[] { 128, 129, 160, 161, 256, 257, 512, 513 }
            .SelectMany(length => new[]
            {
                $"\"{new string('x', length)}\"",
                $"\"{string.Concat(Enumerable.Repeat("𝄞", length))}\"",
                $"\"a.{new string('x', length - 2)}\"",
                $"\"a.{new string('x', length - 5)}.v1\"",
                $"\"1.0.0-{new string('x', length - 6)}\"",
                $"[\"{new string('x', length)}\"]",
                $"[{string.Join(',', Enumerable.Repeat("\"x\"", length))}]",
            });
        var values = Values.Concat(longTexts).ToArray();
        var paths = Places(JsonNode.Parse(JobDocumentSamples.Full)!).Select(place => place.Path).ToArray();
        foreach (var path in paths)
        {
            yield return Changed([(path, null)]);
            yield return Changed([(path + "/unknown member", "[null,{\"x\":1.5}]")]);
            foreach (var value in values)
            {
                yield return Changed([(path, value)]);
            }
        }

        var random = new Random(20261121);
        for (var i = 0; i < 3000; i++)
        {
            yield return Changed(Enumerable.Range(0, random.Next(2, 4)).Select(_ => (
                paths[random.Next(paths.Length)],
                random.Next(2) == 0 ? null : values[random.Next(values.Length)])));
        }
    }

    /// <summary>The full document with some members set, or removed where the value is null.</summary>
    private static string Changed(IEnumerable<(string Path, string? Value)> changes)
    {
        var document = JsonNode.Parse(JobDocumentSamples.Full)!;
        foreach (var (path, value) in changes)
        {
            var names = path.Split('/')[1..];
            JsonNode? owner = document;
            foreach (var name in names[..^1])
            {
                owner = (owner as JsonObject)?[name];
            }

            if (owner is JsonObject members)
            {
                members.Remove(names[^1]);
                if (value is not null)
                {
                    members.Add(names[^1], JsonNode.Parse(value));
                }
            }
        }

        return document.ToJsonString();
    }

    private static IEnumerable<(string Path, JsonNode? Node)> Places(JsonNode node, string path = "") =>
        node is not JsonObject members
            ? []
            : members.SelectMany(member => Places(member.Value!, $"{path}/{member.Key}")
                .Prepend(($"{path}/{member.Key}", member.Value)));

    private static IEnumerable<string> Described(JsonElement schema, string path) =>
        !schema.TryGetProperty("properties", out var properties)
            ? []
            : properties.EnumerateObject().SelectMany(property =>
                Described(property.Value, $"{path}/{property.Name}").Prepend($"{path}/{property.Name}"));

    /// <summary>True for what the schema cannot say: an attempt after the last one.</summary>
    private static bool AttemptsAreCrossed(JsonElement document) =>
        document.TryGetProperty("execution", out var execution)
        && execution.ValueKind == JsonValueKind.Object
        && Number(execution, "attempt") > Number(execution, "max_attempts");

    private static double Number(JsonElement owner, string name) =>
        !owner.TryGetProperty(name, out var value) ? 1
        : value.ValueKind == JsonValueKind.Number ? value.GetDouble()
        : double.NaN;
}
