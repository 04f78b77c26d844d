using System.Buffers.Binary;

namespace MeshLedger.Crypto.Tests;

/// <summary>Contents and their encodings in memory.</summary>
internal static class BaoSamples
{
    /// <summary>Lengths around every boundary of chunks and groups, and some that are no power of two.</summary>
    public static readonly int[] Lengths =
    [
        0, 1, 63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 5000, 16383, 16384, 16385, 17408, 32767, 32768,
        32769, 49151, 49152, 49153, 65535, 65536, 65537, 100_000, 131_071, 131_072, 131_073, 262_143, 262_145,
        1_048_576, 1_048_577, 1_300_000,
    ];

    /// <summary>What the Bao vectors are made of: a little-endian counter of 4 bytes, from 1 on.</summary>
    public static byte[] Content(int length)
    {
        var bytes = new byte[length + 3];
        for (var i = 0; i < length; i += 4)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i), (i / 4) + 1);
        }

        return bytes[..length];
    }

    public static byte[] Outboard(byte[] content, out BlobHash root, int groupLog = BaoTree.BlobGroupLog)
    {
        using var outboard = new MemoryStream();
        var writer = new BaoOutboardWriter(outboard, groupLog);
        writer.Update(content);
        (root, var length) = writer.Finish();
        Assert.Equal(content.Length, length);
        return outboard.ToArray();
    }

    public static BaoEncoding Encoding(byte[] content, out BlobHash root, int groupLog = BaoTree.BlobGroupLog)
    {
        var outboard = Outboard(content, out root, groupLog);
        var tree = new BaoTree(content.Length, groupLog);
        return BaoEncoding.Outboard(root, tree, ByteSource.Of(outboard), ByteSource.Of(content));
    }

    public static byte[] Slice(this BaoEncoding encoding, long offset, long count) =>
        ReadAll(encoding.OpenSlice(offset, count));

    public static byte[] ReadAll(Stream stream)
    {
        using (stream)
        {
            using var all = new MemoryStream();
            stream.CopyTo(all);
            return all.ToArray();
        }
    }

    /// <summary>The bytes of a range, as far as there are any.</summary>
    public static byte[] Range(byte[] content, long offset, long count)
    {
        var from = Math.Min(offset, content.Length);
        return content[(int)from..(int)(from + Math.Min(count, content.Length - from))];
    }

    public static byte[] WithFlippedByte(byte[] bytes, int at)
    {
        var flipped = (byte[])bytes.Clone();
        flipped[at] ^= 1;
        return flipped;
    }
}
