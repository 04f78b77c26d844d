using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Bundles;

namespace MeshLedger.Ledger.Tests.Bundles;

public sealed class BundlePolicyTests
{
    private const string Log = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    private const string Witness = "witness.example/w1+1eadf073+BFDYWOCYXsx/YEGKrwzFq1h/QsJXCohAlanozKzQ9lRc";
    private const string Did = "did:key:z6MkmtWtY63GQVBrpMyRJWEzsnxfsGkemu6CtMDwGTv4RYj2";

    [Fact]
    public void A_policy_names_whom_to_trust()
    {
        var policy = Parse($$"""
            {"logs":["{{Log}}"],"witnesses":["{{Witness}}"],"quorum":1,"founder":"{{Did}}","submitters":["{{Did}}"],"workers":[]}
            """);
        Assert.Equal(Log, Assert.Single(policy.Logs).ToString());
        Assert.Equal(Witness, Assert.Single(policy.Witnesses).ToString());
        Assert.Equal((1, Did, Did), (policy.Quorum, policy.Founder.ToString(), Assert.Single(policy.Submitters!).ToString()));
        Assert.Empty(policy.Workers!);
        policy = Parse($$"""{"logs":["{{Log}}"]}""");
        Assert.Equal((0, null, null, null), (policy.Quorum, policy.Founder, policy.Submitters, policy.Workers));
    }

    [Theory]
    [InlineData("", "no JSON")]
    [InlineData("[]", "JSON object")]
    [InlineData("{}", "logs: expected")]
    [InlineData("""{"logs":[]}""", "logs: expected")]
    [InlineData("""{"logs":"LOG"}""", "logs: expected a list")]
    [InlineData("""{"logs":["WITNESS"]}""", "logs[0]: expected a log's key")]
    [InlineData("""{"logs":["LOG","LOG"]}""", "logs[1]: it is there twice")]
    [InlineData("""{"logs":["\\ud800"]}""", "logs[0]: expected")]
    [InlineData("""{"logs":["LOG"],"logs":["LOG"]}""", "no JSON")]
    [InlineData("""{"logs":["LOG"],"witnesses":["LOG"]}""", "witnesses[0]: expected a witness's key")]
    [InlineData("""{"logs":["LOG"],"witnesses":["WITNESS","ALIAS"]}""", "witnesses[1]: expected a public key of its own, found that of witness.example/w1")]
    [InlineData("""{"logs":["LOG"],"witnesses":["ITSELF"]}""", "witnesses[0]: expected a public key of its own, found that of the log example.com/foo")]
    [InlineData("""{"logs":["LOG"],"\\ud800":1}""", "no JSON")]
    [InlineData("""{"logs":["LOG"],"submitters":null}""", "submitters: expected a list")]
    [InlineData("""{"logs":["LOG"],"submitters":[],"submitters":[]}""", "no JSON")]
    [InlineData("""{"logs":["LOG"],"quorum":1}""", "quorum: expected at most 0")]
    [InlineData("""{"logs":["LOG"],"quorum":-1}""", "quorum: expected a number")]
    [InlineData("""{"logs":["LOG"],"quorum":"1"}""", "quorum: expected a number")]
    [InlineData("""{"logs":["LOG"],"founder":null}""", "founder: expected a did:key, found null")]
    [InlineData("""{"logs":["LOG"],"submitters":["did:key:z6Mk"]}""", "submitters[0]: expected a did:key")]
    [InlineData("""{"logs":["LOG"],"workers":{}}""", "workers: expected a list")]
    [InlineData("""{"logs":["LOG"],"submitter":[]}""", "'submitter' is no member of a policy: there are logs")]
    [InlineData("""{"logs":[[[[[1]]]]]}""", "no JSON")]
    public void What_is_no_policy_is_refused_with_its_place(string json, string reason)
    {
        var text = json.Replace("LOG", Log, StringComparison.Ordinal).Replace("WITNESS", Witness, StringComparison.Ordinal)
            .Replace("ALIAS", NameOf(Witness, "alias.example"), StringComparison.Ordinal)
            .Replace("ITSELF", NameOf(Log, "alias.example"), StringComparison.Ordinal)
            .Replace("\\\\", "\\", StringComparison.Ordinal);
        var fault = Assert.Throws<FormatException>(() => Parse(text));
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_schema_and_the_page_show_policies_that_are_read()
    {
        var schemas = Path.Combine(SecondVerifierTests.Root(), "schemas");
        var schema = JsonElement.Parse(File.ReadAllBytes(Path.Combine(schemas, "documents", "verification-policy-v1.schema.json")));
        Parse(schema.GetProperty("examples")[0].GetRawText());
        Assert.Equal(
            ["logs", "witnesses", "quorum", "founder", "submitters", "workers"],
            schema.GetProperty("properties").EnumerateObject().Select(member => member.Name));
        var page = File.ReadAllText(Path.Combine(schemas, "README.md"));
        page = page[page.IndexOf("**Policy.**", StringComparison.Ordinal)..];
        var example = page[(page.IndexOf("```json", StringComparison.Ordinal) + "```json".Length)..];
        Assert.Equal(1, Parse(example[..example.IndexOf("```", StringComparison.Ordinal)]).Quorum);
    }

    /// <summary>The same public key as a witness's, under another name.</summary>
    private static string NameOf(string key, string name) =>
        new NoteKey(name, NoteKeyType.Cosignature, NoteKey.Parse(key).Key).ToString();

    private static BundlePolicy Parse(string json) => BundlePolicy.Parse(Encoding.UTF8.GetBytes(json));
}
