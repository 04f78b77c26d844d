using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Crypto;

/// <summary>Bytes that can be read at any offset: a blob, or its outboard. Safe for several threads at once.</summary>
public interface IByteSource
{
    /// <summary>Fills <paramref name="buffer"/> from <paramref name="offset"/> on. Returns how many bytes there were,
    /// which is less than the buffer's length only where the bytes end.</summary>
    /// <exception cref="IOException">The bytes cannot be read.</exception>
    int Read(long offset, Span<byte> buffer);
}

/// <summary>The byte sources there are: a file, and bytes at hand.</summary>
public static class ByteSource
{
    /// <summary>Reads <paramref name="file"/>, which the caller keeps open and closes. The file is never mapped: one
    /// that gets shorter meanwhile reads short, it does not end the process.</summary>
    public static IByteSource Of(SafeFileHandle file) => new FileSource(file);

    public static IByteSource Of(ReadOnlyMemory<byte> bytes) => new MemorySource(bytes);

    private sealed class FileSource(SafeFileHandle file) : IByteSource
    {
        public int Read(long offset, Span<byte> buffer)
        {
            var read = 0;
            while (read < buffer.Length)
            {
                var count = RandomAccess.Read(file, buffer[read..], offset + read);
                if (count == 0)
                {
                    break;
                }

                read += count;
            }

            return read;
        }
    }

    private sealed class MemorySource(ReadOnlyMemory<byte> bytes) : IByteSource
    {
        public int Read(long offset, Span<byte> buffer)
        {
            var rest = bytes.Span[(int)Math.Min(offset, bytes.Length)..];
            var count = Math.Min(rest.Length, buffer.Length);
            rest[..count].CopyTo(buffer);
            return count;
        }
    }
}
