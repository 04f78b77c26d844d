using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Tests.Documents;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>Holds schemas/README.md to the vectors.</summary>
public sealed class ContractPageTests
{
    private static readonly string Page = File.ReadAllText(
        Path.Combine(JobDocumentSamples.Root, "schemas", "README.md"));

    [Fact]
    public void The_worked_example_is_the_second_vector()
    {
        var vector = JsonElement.Parse(File.ReadAllBytes(EventVectorTests.Path)).GetProperty("events")[1];
        var statement = vector.GetProperty("statement").GetString()!;
        var digest = vector.GetProperty("digest").GetString()!;
        var signature = vector.GetProperty("row").GetProperty("headers").GetProperty("sig").GetBytesFromBase64();
        var message = Convert.ToHexStringLower([.. "meshledger/batch/v1\0"u8]) + digest;

        // The sections on the log and on blobs have examples of their own, with tests of their own.
        var events = Page[..Page.IndexOf("\n## The log\n", StringComparison.Ordinal)];
        var blocks = events.Split("```\n").Where((_, index) => index % 2 == 1).Select(block => block.TrimEnd('\n'));
        Assert.Equal([statement, digest, message, Convert.ToHexStringLower(signature)], blocks);
        Assert.Contains($"{Encoding.UTF8.GetByteCount(statement)} bytes", Page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_attestation_in_full_is_that_of_a_vector()
    {
        var vector = JsonElement.Parse(File.ReadAllBytes(EventVectorTests.Path)).GetProperty("events")[29];
        var attestation = vector.GetProperty("row").GetProperty("data").GetProperty("attestation");
        var payload = attestation.GetProperty("payload").GetBytesFromBase64();
        var section = Page[Page.IndexOf("\n## Attestations\n", StringComparison.Ordinal)..];
        var blocks = section.Split("```").Where((_, index) => index % 2 == 1).Take(2).ToList();
        Assert.Equal(
            Encoding.UTF8.GetString(payload),
            Encoding.UTF8.GetString(CanonicalJson.Canonicalize(Encoding.UTF8.GetBytes(blocks[0]["json".Length..]))));
        Assert.Equal(attestation.GetProperty("signatures")[0].GetProperty("sig").GetString(), blocks[1].Trim('\n'));
        Assert.Contains($"as canonical JSON {payload.Length} bytes", section, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_event_and_each_of_its_members_is_written_down()
    {
        foreach (var statement in VectorStory.Tell().Select(told => told.Event.Statement))
        {
            Assert.Contains($"| `{statement.Type}` |", Page, StringComparison.Ordinal);
            foreach (var member in Members(JsonElement.Parse(statement.Data.Span)))
            {
                Assert.True(Page.Contains($"`{member}`", StringComparison.Ordinal), $"{statement.Type}: {member}");
            }
        }

        Assert.All(EventCodec.Kinds, kind => Assert.Contains($"| `{kind.Type}` |", Page, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Members(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => Members(member.Value).Prepend(member.Name)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Members),
        _ => [],
    };
}
