using System.Buffers.Binary;

namespace MeshLedger.Machines;

// A bzImage (kernel: Documentation/arch/x86/boot.rst) is a loader around a compressed ELF kernel. Debian compresses the
// cloud kernel with LZ4 in the "legacy" frame: 02 21 4c 18, then blocks, each a length (4 bytes, little-endian) and an
// LZ4 block of at most 8 MiB, then the length of the whole. QEMU boots the ELF kernel directly (PVH), and the guest
// need not unpack it under emulation. Checked by KernelImageTests and by every run.

/// <summary>Unpacks a kernel on the host.</summary>
internal static class KernelImage
{
    private const int BlockBytes = 8 << 20;
    private const uint LegacyMagic = 0x184C2102;

    /// <summary>Writes the ELF kernel that is in <paramref name="image"/> to <paramref name="output"/>. Returns false
    /// if it is packed in another way; then the image has to be booted as it is.</summary>
    public static bool TryUnpack(ReadOnlySpan<byte> image, Stream output)
    {
        if (image.Length < 0x250 || !image[0x202..].StartsWith("HdrS"u8))
        {
            return false;
        }

        var start = ((image[0x1f1] + 1L) * 512) + BinaryPrimitives.ReadUInt32LittleEndian(image[0x248..]);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(image[0x24c..]);
        if (start + length > image.Length || length < 12)
        {
            return false;
        }

        var packed = image.Slice((int)start, (int)length);
        var total = BinaryPrimitives.ReadUInt32LittleEndian(packed[^4..]);
        packed = packed[..^4];
        if (BinaryPrimitives.ReadUInt32LittleEndian(packed) != LegacyMagic)
        {
            return false;
        }

        packed = packed[4..];
        var block = new byte[BlockBytes];
        long written = 0;
        while (packed.Length >= 4)
        {
            var blockLength = BinaryPrimitives.ReadUInt32LittleEndian(packed);
            if (blockLength > packed.Length - 4)
            {
                return false;
            }

            var count = UnpackBlock(packed.Slice(4, (int)blockLength), block);
            if (count < 0 || (written == 0 && !block.AsSpan(0, count).StartsWith("\x7f"u8)))
            {
                return false;
            }

            output.Write(block, 0, count);
            written += count;
            packed = packed[(4 + (int)blockLength)..];
        }

        return written == total;
    }

    /// <summary>One LZ4 block. Returns the number of bytes, or -1 if it is damaged.</summary>
    internal static int UnpackBlock(ReadOnlySpan<byte> packed, Span<byte> output)
    {
        var at = 0;
        var to = 0;
        while (at < packed.Length)
        {
            var token = packed[at++];
            if (!TryLength(packed, ref at, token >> 4, out var literals)
                || literals > packed.Length - at || literals > output.Length - to)
            {
                return -1;
            }

            packed.Slice(at, literals).CopyTo(output[to..]);
            at += literals;
            to += literals;
            if (at == packed.Length)
            {
                return to;
            }

            if (packed.Length - at < 2)
            {
                return -1;
            }

            int distance = BinaryPrimitives.ReadUInt16LittleEndian(packed[at..]);
            at += 2;
            if (!TryLength(packed, ref at, token & 15, out var match)
                || distance == 0 || distance > to || match + 4 > output.Length - to)
            {
                return -1;
            }

            Repeat(output, to, distance, match + 4);
            to += match + 4;
        }

        return -1;
    }

    private static void Repeat(Span<byte> output, int to, int distance, int count)
    {
        // A match may reach into itself: then it repeats what is `distance` long.
        while (count > 0)
        {
            var piece = Math.Min(distance, count);
            output.Slice(to - distance, piece).CopyTo(output[to..]);
            to += piece;
            count -= piece;
        }
    }

    private static bool TryLength(ReadOnlySpan<byte> packed, ref int at, int start, out int length)
    {
        length = start;
        if (start < 15)
        {
            return true;
        }

        while (at < packed.Length && length < BlockBytes)
        {
            var more = packed[at++];
            length += more;
            if (more < 255)
            {
                return true;
            }
        }

        return false;
    }
}
