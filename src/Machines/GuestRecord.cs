using System.Buffers;
using System.Buffers.Binary;

namespace MeshLedger.Machines;

// What the guest's init sends through the debug console port: frames of kind (1 byte), length (4 bytes, little-endian)
// and payload. Worked example: 02 03 00 00 00 68 69 0a is "hi\n" on stdout. The kinds and their payloads stand in
// README.md; checked by GuestRecordTests, which also feed it what no init of ours would send.

/// <summary>How the guest says that its program ended.</summary>
internal enum GuestEnd
{
    Exited = 0,
    Signalled = 1,
    NotStarted = 2,
    BadJob = 3,
}

/// <summary>The last frame.</summary>
internal sealed record GuestEnding(GuestEnd Kind, int Code, int OomKills, long PeakBytes);

/// <summary>The bytes from the guest are no record. They are its kernel's or QEMU's fault, or an attack.</summary>
internal sealed class GuestRecordException(string message) : Exception(message);

/// <summary>
/// Gathers the frames. Its memory is bounded by the cap whatever comes: the guest is not trusted to keep its own.
/// </summary>
internal sealed class GuestRecord(long cap, IReadOnlyList<string> files)
{
    private const int PrefixBytes = 5;
    private const int MaxFrameBytes = (64 * 1024) + 64;
    private const int HelloBytes = 8;
    private const int FileHeadBytes = 16;
    private const int EndBytes = 40;

    private readonly CappedBuffer _stdout = new(cap);
    private readonly CappedBuffer _stderr = new(cap);
    private readonly List<(int Error, CappedBuffer Content)> _files = [];
    private readonly byte[] _frame = new byte[PrefixBytes + MaxFrameBytes];
    private int _filled;
    private bool _spoke;

    /// <summary>Set by the last frame; nothing after it is looked at.</summary>
    public GuestEnding? Ending { get; private set; }

    public bool Spoke => _spoke;

    public MicroVmOutput Stdout => _stdout.ToOutput();

    public MicroVmOutput Stderr => _stderr.ToOutput();

    public IReadOnlyList<MicroVmFile> Files => [.. _files.Select((file, index) => file.Error == 0
        ? new MicroVmFile(files[index], file.Content.ToOutput(), null)
        : new MicroVmFile(files[index], null, Explain(file.Error)))];

    /// <exception cref="GuestRecordException">The bytes are no frames of ours.</exception>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && Ending is null)
        {
            var wanted = _filled < PrefixBytes ? PrefixBytes : PrefixBytes + FrameLength();
            var take = Math.Min(wanted - _filled, bytes.Length);
            bytes[..take].CopyTo(_frame.AsSpan(_filled));
            _filled += take;
            bytes = bytes[take..];
            if (_filled >= PrefixBytes && _filled == PrefixBytes + FrameLength())
            {
                Take(_frame[0], _frame.AsSpan(PrefixBytes, _filled - PrefixBytes));
                _filled = 0;
            }
        }
    }

    private static string Explain(int error) => error switch
    {
        2 => "no such file in the guest",
        22 or 21 or 40 => "no regular file, or reached through a symbolic link",
        13 => "the guest refused access",
        _ => $"the guest could not open it (errno {error})",
    };

    private int FrameLength()
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(_frame.AsSpan(1));
        return length <= MaxFrameBytes
            ? (int)length
            : throw new GuestRecordException($"a frame of {length} bytes, at most {MaxFrameBytes} are allowed");
    }

    private void Take(byte kind, ReadOnlySpan<byte> payload)
    {
        if (kind == 1 != !_spoke)
        {
            throw new GuestRecordException("the first frame, and only that, must be the greeting");
        }

        switch (kind)
        {
            case 1:
                Expect(payload.Length == HelloBytes && payload.SequenceEqual("MLVM\x01\0\0\0"u8), "greeting");
                _spoke = true;
                break;
            case 2:
                _stdout.Add(payload);
                break;
            case 3:
                _stderr.Add(payload);
                break;
            case 4:
                Expect(payload.Length == FileHeadBytes && Number(payload, 0) == _files.Count
                    && _files.Count < files.Count, "file");
                _files.Add((Number(payload, 4), new CappedBuffer(cap)));
                break;
            case 5:
                Expect(payload.Length >= 4 && _files.Count > 0 && Number(payload, 0) == _files.Count - 1
                    && _files[^1].Error == 0, "piece of a file");
                _files[^1].Content.Add(payload[4..]);
                break;
            case 6:
                Expect(payload.Length == EndBytes && Number(payload, 0) is >= 0 and <= 3, "ending");
                Ending = new GuestEnding((GuestEnd)Number(payload, 0), Number(payload, 4), Number(payload, 8),
                    Math.Max(0, BinaryPrimitives.ReadInt64LittleEndian(payload[16..])));
                break;
            default:
                throw new GuestRecordException($"a frame of unknown kind {kind}");
        }
    }

    private static int Number(ReadOnlySpan<byte> payload, int at) =>
        BinaryPrimitives.ReadInt32LittleEndian(payload[at..]);

    private static void Expect(bool holds, string what)
    {
        if (!holds)
        {
            throw new GuestRecordException($"a {what} frame that makes no sense");
        }
    }

    private sealed class CappedBuffer(long cap)
    {
        private readonly ArrayBufferWriter<byte> _kept = new();
        private bool _truncated;

        public void Add(ReadOnlySpan<byte> bytes)
        {
            var room = (int)Math.Min(cap - _kept.WrittenCount, bytes.Length);
            _truncated |= room < bytes.Length;
            _kept.Write(bytes[..room]);
        }

        public MicroVmOutput ToOutput() => new(_kept.WrittenMemory, _truncated);
    }
}
