using System.Text.Json;
using System.Text.RegularExpressions;

namespace MeshLedger.Blobs.Tests;

/// <summary>The document that a server gives of itself, which schemas/http/blobs-v1.openapi.json keeps.</summary>
public sealed partial class OpenApiTests
{
    private static readonly string Kept = Path.Combine("schemas", "http", "blobs-v1.openapi.json");

    /// <summary>With MESHLEDGER_WRITE_SNAPSHOTS=1 the file is written anew, to be looked at before it is committed.
    /// </summary>
    [Fact]
    public async Task What_is_served_is_what_the_contract_keeps()
    {
        var served = await GetAsync();
        var file = Path.Combine(Repository.Root, Kept);
        if (Environment.GetEnvironmentVariable("MESHLEDGER_WRITE_SNAPSHOTS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllTextAsync(file, served);
        }

        Assert.Equal(await File.ReadAllTextAsync(file), served);
    }

    [Fact]
    public async Task Every_operation_tells_what_it_takes_and_gives()
    {
        var document = JsonDocument.Parse(await GetAsync()).RootElement;
        var operations = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(one => (Name: $"{one.Name} {path.Name}", one.Value)))
            .ToDictionary(one => one.Name, one => one.Value);
        Assert.Equal(
            [
                "get /v1/blobs", "get /v1/blobs/{hash}", "get /v1/blobs/{hash}/outboard", "get /v1/blobs/{hash}/slice",
                "head /v1/blobs/{hash}", "post /v1/blobs/have", "put /v1/blobs",
            ],
            operations.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(7, operations.Values.Select(one => one.GetProperty("operationId").GetString()).Distinct().Count());
        Assert.Equal(["after", "limit"], Parameters(operations["get /v1/blobs"]));
        Assert.Equal(["hash", "Range", "If-Range", "If-None-Match"], Parameters(operations["get /v1/blobs/{hash}"]));
        Assert.Equal(["hash", "Range", "If-Range", "If-None-Match"], Parameters(operations["head /v1/blobs/{hash}"]));
        Assert.Equal(["hash"], Parameters(operations["get /v1/blobs/{hash}/outboard"]));
        Assert.Equal(["hash", "offset", "length"], Parameters(operations["get /v1/blobs/{hash}/slice"]));
        Assert.Empty(Parameters(operations["post /v1/blobs/have"]));
        Assert.Equal(["Blob-Hash", "Signature-Input", "Signature"], Parameters(operations["put /v1/blobs"]));
        foreach (var (name, operation) in operations)
        {
            foreach (var response in operation.GetProperty("responses").EnumerateObject())
            {
                var hasContent = response.Value.TryGetProperty("content", out var content);
                Assert.Equal(
                    !name.StartsWith("head", StringComparison.Ordinal) && response.Name != "304", hasContent);
                if (hasContent && string.CompareOrdinal(response.Name, "400") >= 0)
                {
                    Assert.Equal(
                        "#/components/schemas/BlobProblem",
                        content.GetProperty("application/problem+json").GetProperty("schema").GetProperty("$ref").GetString());
                }
            }
        }

        var properties = document.GetProperty("components").GetProperty("schemas").EnumerateObject()
            .Where(schema => schema.Value.TryGetProperty("properties", out _))
            .SelectMany(schema => schema.Value.GetProperty("properties").EnumerateObject().Select(property => property.Name))
            .ToArray();
        Assert.Contains("was_new", properties);
        Assert.All(properties, property => Assert.Matches(SnakeCase(), property));
        Assert.True(operations["post /v1/blobs/have"].TryGetProperty("requestBody", out _));
        Assert.True(operations["put /v1/blobs"].TryGetProperty("requestBody", out _));
    }

    private static string[] Parameters(JsonElement operation) => operation.TryGetProperty("parameters", out var parameters)
        ? [.. parameters.EnumerateArray().Select(parameter => parameter.GetProperty("name").GetString()!)]
        : [];

    private static async Task<string> GetAsync()
    {
        await using var served = await Served.StartAsync();
        using var client = new HttpClient();
        return (await client.GetStringAsync($"{served.Url}/openapi/v1.json")).ReplaceLineEndings("\n").TrimEnd() + "\n";
    }

    [GeneratedRegex("^[a-z][a-z0-9_]*$")]
    private static partial Regex SnakeCase();
}

/// <summary>The tree that these tests read.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"There is no MeshLedger.sln above {AppContext.BaseDirectory}.");
    }
}
