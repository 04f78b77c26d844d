using System.Text;
using MeshLedger.Blobs.Http;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>The worked examples of the section "Blobs" of schemas/README.md.</summary>
public sealed class ContractTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "schemas", "README.md"));

    /// <summary>16385 zero bytes: two groups of which the second has one byte.</summary>
    [Fact]
    public void The_outboard_of_the_page_is_the_stores()
    {
        var content = new byte[16_385];
        var outboard = new MemoryStream();
        var writer = new BaoOutboardWriter(outboard);
        writer.Update(content);
        var (hash, size) = writer.Finish();
        Assert.Equal((Blake3.Hash(content), 16_385), (hash, size));
        var bytes = outboard.ToArray();
        Assert.Equal(72, bytes.Length);
        Says(hash.ToString());
        Says(string.Join('\n', bytes[..8].Hex(), bytes[8..40].Hex(), bytes[40..].Hex()));
    }

    [Fact]
    public void The_slice_of_the_page_is_what_is_served()
    {
        var content = "hello, mesh\n"u8.ToArray();
        var encoding = BaoEncoding.Outboard(
            Blake3.Hash(content), new BaoTree(content.Length), ByteSource.Of(BitConverter.GetBytes((long)content.Length)),
            ByteSource.Of(content));
        var slice = new MemoryStream();
        encoding.OpenSlice(3, 2).CopyTo(slice);
        Says(slice.ToArray().Hex());
    }

    [Fact]
    public async Task The_signed_request_of_the_page_is_taken_as_it_stands()
    {
        var key = SigningKey.FromSeed([.. Enumerable.Repeat((byte)5, 32)]);
        var hash = Blake3.Hash("hello, mesh\n"u8);
        var clock = new SetClock { Now = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero) };
        var (input, signature) = MessageSignature.Sign(key, "/v1/blobs", hash, clock.Now);
        Says($"\"@method\": PUT\n\"@path\": /v1/blobs\n\"blob-hash\": {hash}\n"
            + $"\"@signature-params\": {input["blob=".Length..]}\n");
        var request = $"PUT /v1/blobs HTTP/1.1\nHost: 127.0.0.1:7400\nContent-Length: 12\nBlob-Hash: {hash}\n"
            + $"Signature-Input: {input}\nSignature: {signature}\n\nhello, mesh\n";
        Says(request);

        await using var served = await Served.StartAsync(options => options.MayAdd = did => did == key.Did, clock: clock);
        var answer = await RawHttp.SendAsync(
            served,
            request.Replace("\n\n", "\nConnection: close\n\n", StringComparison.Ordinal)
                .Replace("\n", "\r\n", StringComparison.Ordinal)
                .Replace("mesh\r\n", "mesh\n", StringComparison.Ordinal),
            CancellationToken.None);
        Assert.Equal(201, answer.Status);
        Says(Encoding.UTF8.GetString(answer.Body));
    }

    [Fact]
    public async Task The_tag_and_the_metadata_of_the_page_are_the_stores()
    {
        using var directory = new StoreDirectory(inMemory: true);
        var store = directory.Open();
        var addition = new BlobAddition
        {
            Tag = BlobTag.Parse("images/debian:12"),
            Metadata = new BlobMetadata
            {
                Name = "kernel.elf",
                ContentType = "application/x-elf",
                Custom = BlobMetadata.None.Custom.Add("arch", "x86_64"),
            },
        };
        var added = await store.AddAsync(new MemoryStream("hello, mesh\n"u8.ToArray()), addition, CancellationToken.None);
        foreach (var file in directory.Files())
        {
            Says(file);
        }

        Says(await File.ReadAllTextAsync(directory.FileOf(added.Hash, ".json")));
        Says((await File.ReadAllTextAsync(store.Files.TagOf(addition.Tag.Value))).TrimEnd());
    }

    private static void Says(string text) => Assert.True(
        Page.Contains(text, StringComparison.Ordinal), $"schemas/README.md does not say:\n{text}");
}

internal static class HexText
{
    public static string Hex(this byte[] bytes) => Convert.ToHexStringLower(bytes);
}
