using System.Text.Json;

namespace MeshLedger.Crypto.Tests;

/// <summary>Every case of vectors/bao.json, and every corruption that it names.</summary>
public sealed class BaoVectorTests
{
    private static readonly JsonElement Vectors = JsonDocument.Parse(
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "bao.json"))).RootElement;

    [Fact]
    public void Hashes_are_those_of_the_vectors()
    {
        foreach (var (vector, content) in Cases("hash"))
        {
            Assert.Equal(Hash(vector), Blake3.Hash(content));
        }
    }

    [Fact]
    public void Combined_encodings_are_those_of_the_vectors_and_no_corruption_decodes()
    {
        foreach (var (vector, content) in Cases("encode"))
        {
            var combined = BaoSamples.Encoding(content, out var root, 0).Slice(0, long.MaxValue);
            Assert.Equal(Hash(vector), root);
            AssertBytes(vector, "output_len", "encoded_blake3", combined);
            Assert.Equal(content, BaoSamples.ReadAll(BaoDecoder.Combined(root, new MemoryStream(combined))));
            foreach (var at in Numbers(vector, "corruptions"))
            {
                var bad = new MemoryStream(BaoSamples.WithFlippedByte(combined, at));
                Assert.Throws<BaoException>(() => BaoSamples.ReadAll(BaoDecoder.Combined(root, bad)));
            }
        }
    }

    [Fact]
    public void Outboards_are_those_of_the_vectors_and_no_corruption_decodes()
    {
        foreach (var (vector, content) in Cases("outboard"))
        {
            var outboard = BaoSamples.Outboard(content, out var root, 0);
            Assert.Equal(Hash(vector), root);
            AssertBytes(vector, "output_len", "encoded_blake3", outboard);
            Assert.Equal(content, Decode(root, outboard, content));
            foreach (var at in Numbers(vector, "outboard_corruptions"))
            {
                var bad = BaoSamples.WithFlippedByte(outboard, at);
                Assert.Throws<BaoException>(() => Decode(root, bad, content));
            }

            foreach (var at in Numbers(vector, "input_corruptions"))
            {
                var bad = BaoSamples.WithFlippedByte(content, at);
                Assert.Throws<BaoException>(() => Decode(root, outboard, bad));
            }
        }
    }

    [Fact]
    public void A_seek_gives_the_rest_of_the_content()
    {
        foreach (var (vector, content) in Cases("seek"))
        {
            var encoding = BaoSamples.Encoding(content, out var root, 0);
            var combined = BaoEncoding.Combined(root, ByteSource.Of(encoding.Slice(0, long.MaxValue)));
            foreach (var offset in Numbers(vector, "seek_offsets"))
            {
                var expected = BaoSamples.Range(content, offset, long.MaxValue);
                Assert.Equal(expected, BaoSamples.ReadAll(encoding.OpenContent(offset, long.MaxValue)));
                Assert.Equal(expected, BaoSamples.ReadAll(combined.OpenContent(offset, long.MaxValue)));
            }
        }
    }

    [Fact]
    public void Slices_are_those_of_the_vectors_and_no_corruption_decodes()
    {
        foreach (var (vector, content) in Cases("slice"))
        {
            var standard = BaoSamples.Encoding(content, out var root, 0);
            var combined = BaoEncoding.Combined(root, ByteSource.Of(standard.Slice(0, long.MaxValue)));
            var grouped = BaoSamples.Encoding(content, out _);
            foreach (var expected in vector.GetProperty("slices").EnumerateArray())
            {
                var offset = expected.GetProperty("start").GetInt64();
                var count = expected.GetProperty("len").GetInt64();
                var slice = standard.Slice(offset, count);
                AssertBytes(expected, "output_len", "output_blake3", slice);
                Assert.Equal(slice, combined.Slice(offset, count));
                Assert.Equal(slice, grouped.Slice(offset, count));
                Assert.Equal(BaoSamples.Range(content, offset, count), Decode(root, slice, offset, count));
                foreach (var at in Numbers(expected, "corruptions"))
                {
                    var bad = BaoSamples.WithFlippedByte(slice, at);
                    Assert.Throws<BaoException>(() => Decode(root, bad, offset, count));
                }
            }
        }
    }

    private static IEnumerable<(JsonElement Vector, byte[] Content)> Cases(string name)
    {
        Assert.Equal(13, Vectors.GetProperty(name).GetArrayLength());
        return Vectors.GetProperty(name).EnumerateArray()
            .Select(vector => (vector, BaoSamples.Content(vector.GetProperty("input_len").GetInt32())));
    }

    private static BlobHash Hash(JsonElement vector) => BlobHash.Parse(vector.GetProperty("bao_hash").GetString());

    private static IEnumerable<int> Numbers(JsonElement vector, string name) =>
        vector.GetProperty(name).EnumerateArray().Select(number => number.GetInt32());

    private static void AssertBytes(JsonElement vector, string length, string hash, byte[] bytes)
    {
        Assert.Equal(vector.GetProperty(length).GetInt32(), bytes.Length);
        Assert.Equal(vector.GetProperty(hash).GetString(), Blake3.Hash(bytes).ToString());
    }

    private static byte[] Decode(BlobHash root, byte[] outboard, byte[] content) => BaoSamples.ReadAll(
        BaoDecoder.Outboard(root, new MemoryStream(outboard), new MemoryStream(content)));

    private static byte[] Decode(BlobHash root, byte[] slice, long offset, long count) =>
        BaoSamples.ReadAll(BaoDecoder.Slice(root, new MemoryStream(slice), offset, count));
}
