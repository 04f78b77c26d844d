using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Documents;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>Holds the code to schemas/vectors/events.json byte for byte. With MESHLEDGER_WRITE_VECTORS=1 the file is
/// written anew; a line of it that changes is a change of the format.</summary>
public sealed class EventVectorTests
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal static string Path { get; } =
        System.IO.Path.Combine(JobDocumentSamples.Root, "schemas", "vectors", "events.json");

    [Fact]
    public void The_vectors_are_what_the_code_writes()
    {
        var written = Write();
        if (Environment.GetEnvironmentVariable("MESHLEDGER_WRITE_VECTORS") == "1")
        {
            File.WriteAllText(Path, written);
        }

        Assert.Equal(written, File.ReadAllText(Path));
    }

    [Fact]
    public void Every_vector_verifies_and_reads_back()
    {
        foreach (var (signed, _) in VectorStory.Tell())
        {
            Assert.True(signed.Verify(), signed.Statement.Type);
            Assert.Equal(signed.Statement.Body, EventCodec.Read(signed.Statement));
        }
    }

    [Fact]
    public void The_vectors_are_a_ledger_that_the_rules_allow()
    {
        var registry = new Registry();
        var jobs = new Dictionary<StreamId, JobState>();
        var accounts = new Dictionary<StreamId, AccountState>();
        var seen = new HashSet<Digest>();
        foreach (var (signed, version) in VectorStory.Tell())
        {
            var (statement, fact) = (signed.Statement, EventFact.Of(signed.Statement));
            Assert.True(statement.Cause is null || seen.Contains(statement.Cause.Value), statement.Type);
            Assert.True(seen.Add(statement.Digest));
            switch (statement.Body)
            {
                case JobEvent:
                    var state = jobs.GetValueOrDefault(statement.Stream);
                    Assert.Null(JobRules.Check(state, fact, registry));
                    jobs[statement.Stream] = Job.Evolve(state, fact);
                    break;
                case AccountEvent:
                    var account = accounts.GetValueOrDefault(statement.Stream) ?? AccountState.None;
                    Assert.Null(Account.Check(account, fact, registry));
                    accounts[statement.Stream] = Account.Evolve(account, statement.Body, statement.Time);
                    break;
                default:
                    Assert.Null(registry.Check(statement, statement.Body, version));
                    registry.Apply(statement, statement.Body, version, seen.Count);
                    break;
            }
        }

        Assert.Equal(
            [JobStatus.Completed, JobStatus.Completed, JobStatus.Failed, JobStatus.Cancelled],
            jobs.Values.Select(job => job.Status).Order());
        Assert.Equal(
            accounts.Values.Sum(account => account.Granted + account.Regenerated),
            accounts.Values.Sum(account => account.Balance));
        Assert.Equal([20, 60, 460, 1_000], accounts.Values.Select(account => account.Balance).Order());
        Assert.All(accounts.Values, account => Assert.Equal(0, account.Held));
        Assert.All(jobs, job => Assert.Null(JobSubmission.Check(job.Value.Submission, job.Value.Submitter, job.Key)));
    }

    [Fact]
    public void Every_kind_has_a_vector()
    {
        var told = VectorStory.Tell().Select(one => one.Event.Statement.Type).ToHashSet();
        Assert.Empty(EventCodec.Kinds.Select(kind => kind.Type).Except(told));
    }

    private static string Write()
    {
        var keys = new JsonArray();
        foreach (var (name, seed) in new[]
        {
            ("node", 1), ("submitter", 2), ("worker", 3), ("rival", 4), ("second_node", 5),
            ("stranger", 6), ("third", 7), ("north", 8),
        })
        {
            keys.Add(new JsonObject
            {
                ["name"] = name,
                ["seed"] = string.Concat(Enumerable.Repeat($"{seed:x2}", 32)),
                ["did"] = Actors.Key((byte)seed).Did.ToString(),
            });
        }

        var events = new JsonArray();
        var position = 0;
        foreach (var (signed, version) in VectorStory.Tell())
        {
            events.Add(Event(signed, ++position, version));
        }

        return new JsonObject
        {
            ["keys"] = keys,
            ["canonical"] = CanonicalCases(),
            ["refused"] = new JsonArray([.. CanonicalVectors.Refused.Select(text => JsonValue.Create(text))]),
            ["events"] = events,
        }.ToJsonString(Indented) + "\n";
    }

    private static JsonArray CanonicalCases() => new([.. CanonicalVectors.Inputs.Select(input => new JsonObject
    {
        ["input"] = input,
        ["canonical"] = Encoding.UTF8.GetString(CanonicalJson.Canonicalize(Encoding.UTF8.GetBytes(input))),
    })]);

    private static JsonObject Event(SignedEvent signed, long position, long version)
    {
        var statement = signed.Statement;
        var headers = new JsonObject
        {
            ["by"] = statement.By.ToString(),
            ["cause"] = statement.Cause?.ToString(),
            ["digest"] = signed.Digest.ToString(),
        };
        if (signed.Proof is { } proof)
        {
            headers["proof"] = new JsonObject
            {
                ["index"] = proof.Index,
                ["path"] = new JsonArray([.. proof.Path.Select(node => JsonValue.Create(Convert.ToBase64String(node.ToArray())))]),
                ["size"] = proof.Size,
            };
        }

        headers["sig"] = Convert.ToBase64String(signed.Signature.Span);
        headers["time"] = Timestamps.Write(statement.Time);
        return new JsonObject
        {
            ["statement"] = Encoding.UTF8.GetString(statement.Canonical.Span),
            ["digest"] = statement.Digest.ToString(),
            ["row"] = new JsonObject
            {
                ["seq_id"] = position,
                ["id"] = statement.Id.ToString(),
                ["stream_id"] = statement.Stream.ToString(),
                ["version"] = version,
                ["type"] = statement.Type,
                ["data"] = JsonNode.Parse(statement.Data.Span),
                ["causation_id"] = statement.Cause?.ToString(),
                ["headers"] = headers,
            },
        };
    }
}
