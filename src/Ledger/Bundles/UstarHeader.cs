using System.Globalization;
using System.Text;

namespace MeshLedger.Ledger.Bundles;

// One entry of a POSIX.1-1988 tar (ustar), as bundles have them: a header of 512 bytes, the content, zeroes up to a multiple
// of 512. In the header stand name, mode 0000644, owner and group 0000000, size in 11 octal digits, time 00000000000, the
// checksum, type '0', magic "ustar", version "00", devices 0000000, each number with a zero byte behind it, and zeroes
// elsewhere. After the last entry come 1024 zero bytes, and nothing else. Checked by UstarTests.

/// <summary>The one header that an entry of a name and size has, so that an archive has one spelling.</summary>
internal static class UstarHeader
{
    public const int BlockSize = 512;
    public const int MaxName = 99;

    /// <summary>What 11 octal digits hold.</summary>
    public const long MaxSize = (1L << 33) - 1;

    private const int SizeAt = 124;
    private const int ChecksumAt = 148;

    public static byte[] Write(string name, long size)
    {
        if (name.Length is 0 or > MaxName || size is < 0 or > MaxSize)
        {
            throw new ArgumentException($"An entry has a name of 1 to {MaxName} characters and at most {MaxSize} bytes: {name}.");
        }

        var header = new byte[BlockSize];
        void Put(int at, string text) => Encoding.ASCII.GetBytes(text, header.AsSpan(at));
        Put(0, name);
        Put(100, "0000644");
        Put(108, "0000000");
        Put(116, "0000000");
        Put(SizeAt, Octal(size, 11));
        Put(136, "00000000000");
        Put(ChecksumAt, "        ");
        Put(156, "0");
        Put(257, "ustar");
        Put(263, "00");
        Put(329, "0000000");
        Put(337, "0000000");
        Put(ChecksumAt, $"{Octal(header.Sum(value => value), 6)}\0 ");
        return header;
    }

    /// <summary>Reads a header.</summary>
    /// <returns>False for any that <see cref="Write"/> does not write.</returns>
    public static bool TryRead(ReadOnlySpan<byte> header, out string name, out long size)
    {
        name = "";
        size = 0;
        var end = header[..100].IndexOf((byte)0);
        if (end is < 1 or > MaxName || header[..end].ContainsAnyExceptInRange((byte)'!', (byte)'~'))
        {
            return false;
        }

        foreach (var digit in header.Slice(SizeAt, 11))
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            size = (size << 3) + digit - '0';
        }

        name = Encoding.ASCII.GetString(header[..end]);
        return header.SequenceEqual(Write(name, size));
    }

    /// <summary>How many zeroes follow a content of that many bytes.</summary>
    public static int Padding(long size) => (int)(-size & (BlockSize - 1));

    private static string Octal(long value, int digits) =>
        Convert.ToString(value, 8).PadLeft(digits, '0').ToString(CultureInfo.InvariantCulture);
}
