using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Tests.Documents;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>Holds schemas/events to the vectors and to what the codec reads.</summary>
public sealed class EventSchemaTests
{
    private static readonly string Folder = Path.Combine(JobDocumentSamples.Root, "schemas", "events");

    private static readonly string[] Replacements =
        ["null", "true", "\"\"", "\"x\"", "{}", "[]", "[null]", "[1]", "[\"x\"]", "[{}]", "{\"x\":1}"];

    [Fact]
    public void Every_kind_has_a_schema_and_every_schema_a_kind()
    {
        var files = Directory.GetFiles(Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);
        Assert.Equal(
            EventCodec.Kinds.Select(kind => $"{kind.Type}.schema.json").Order(StringComparer.Ordinal), files);
        Assert.All(EventCodec.Kinds, kind => Assert.Equal(kind.Type, Schema(kind.Type).GetProperty("title").GetString()));
    }

    [Fact]
    public void Every_vector_meets_its_schema()
    {
        foreach (var (signed, _) in VectorStory.Tell())
        {
            var statement = signed.Statement;
            Assert.True(
                new SchemaChecker(Schema(statement.Type)).Accepts(JsonElement.Parse(statement.Data.Span)), statement.Type);
        }
    }

    [Fact]
    public void Schema_and_codec_refuse_the_same_changes_of_shape()
    {
        var compared = 0;
        foreach (var type in VectorStory.Tell().Select(told => told.Event.Statement).DistinctBy(said => said.Type))
        {
            var checker = new SchemaChecker(Schema(type.Type));
            foreach (var changed in Changes(JsonNode.Parse(type.Data.Span)!))
            {
                var bySchema = checker.Accepts(JsonElement.Parse(changed));
                Assert.True(bySchema == Reads(type.Type, changed), $"{type.Type}, schema says {bySchema}: {changed}");
                compared++;
            }
        }

        Assert.True(compared > 500, $"only {compared} changes were compared");
    }

    private static bool Reads(string type, string data)
    {
        try
        {
            EventCodec.Read(type, Encoding.UTF8.GetBytes(data));
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>The data with one member left out, added, or replaced by a value of another type, at every depth.
    /// </summary>
    private static List<string> Changes(JsonNode data)
    {
        var changed = new List<string>();
        Visit(data);
        return changed;

        void Visit(JsonNode? node)
        {
            if (node is JsonArray array)
            {
                foreach (var item in array)
                {
                    Visit(item);
                }
            }
            else if (node is JsonObject owner)
            {
                With(owner, "unknown", 1);
                foreach (var (name, value) in owner.ToList())
                {
                    owner.Remove(name);
                    changed.Add(data.ToJsonString());
                    foreach (var replacement in Replacements)
                    {
                        With(owner, name, JsonNode.Parse(replacement));
                    }

                    owner[name] = value;
                    Visit(value);
                }
            }
        }

        void With(JsonObject owner, string name, JsonNode? value)
        {
            owner[name] = value;
            changed.Add(data.ToJsonString());
            owner.Remove(name);
        }
    }

    private static JsonElement Schema(string type) =>
        JsonElement.Parse(File.ReadAllBytes(Path.Combine(Folder, $"{type}.schema.json")));
}
