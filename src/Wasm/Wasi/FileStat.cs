using System.Buffers.Binary;

namespace MeshLedger.Wasm.Wasi;

internal enum FileType : byte
{
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SymbolicLink = 7,
}

/// <summary>What is known of a file (<c>filestat</c>). Times are nanoseconds since 1970.</summary>
internal readonly record struct FileStat(
    ulong Device, ulong Inode, FileType Type, ulong Links, ulong Size, ulong Accessed, ulong Modified, ulong Changed)
{
    public const int Bytes = 64;

    public void Write(Span<byte> to)
    {
        to[..Bytes].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(to, Device);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], Inode);
        to[16] = (byte)Type;
        BinaryPrimitives.WriteUInt64LittleEndian(to[24..], Links);
        BinaryPrimitives.WriteUInt64LittleEndian(to[32..], Size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[40..], Accessed);
        BinaryPrimitives.WriteUInt64LittleEndian(to[48..], Modified);
        BinaryPrimitives.WriteUInt64LittleEndian(to[56..], Changed);
    }
}

/// <summary>The two times that a guest may set; null stays as it is.</summary>
internal readonly record struct NewTimes(ulong? Accessed, ulong? Modified)
{
    private const TimeFlags BothAccesses = TimeFlags.Access | TimeFlags.AccessNow;
    private const TimeFlags BothModifications = TimeFlags.Modification | TimeFlags.ModificationNow;

    /// <summary>False if the flags contradict each other.</summary>
    public static bool TryRead(ulong accessed, ulong modified, uint flags, ulong now, out NewTimes times)
    {
        var set = (TimeFlags)flags;
        times = new(
            set.HasFlag(TimeFlags.AccessNow) ? now : set.HasFlag(TimeFlags.Access) ? accessed : null,
            set.HasFlag(TimeFlags.ModificationNow) ? now : set.HasFlag(TimeFlags.Modification) ? modified : null);
        return flags <= (uint)TimeFlags.All
            && (set & BothAccesses) != BothAccesses
            && (set & BothModifications) != BothModifications;
    }
}
