using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// One call of a guest to the host: its arguments, its memory, and what the call costs. All that crosses the border
/// goes through here; an address that is not the guest's is <see cref="Errno.Fault"/>.
/// </summary>
internal ref struct WasiCall(Memory? memory, Span<ulong> slots, long fuelUsed)
{
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly Span<ulong> _slots = slots;

    /// <summary>Fuel used by the guest before the call: the clocks are made of it.</summary>
    public readonly long FuelUsed = fuelUsed;

    /// <summary>Bytes that the call has moved.</summary>
    public long Moved { get; private set; }

    /// <summary>What the call takes: 1, and 1 more for every 64 bytes.</summary>
    public readonly long Fuel => 1 + (Moved / 64);

    public void Charge(long bytes) => Moved += bytes;

    public readonly uint U32(int slot) => (uint)_slots[slot];

    public readonly ulong U64(int slot) => _slots[slot];

    public readonly bool TryBytes(uint address, uint length, out Span<byte> bytes)
    {
        bytes = default;
        return memory is not null && memory.TrySlice(address, length, out bytes);
    }

    public readonly Errno Put(int slot, uint value)
    {
        if (!TryBytes(U32(slot), 4, out var bytes))
        {
            return Errno.Fault;
        }
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Errno.Success;
    }

    public readonly Errno Put(int slot, ulong value)
    {
        if (!TryBytes(U32(slot), 8, out var bytes))
        {
            return Errno.Fault;
        }
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return Errno.Success;
    }

    public readonly Errno Put(int slot, in FileStat stat)
    {
        if (!TryBytes(U32(slot), FileStat.Bytes, out var bytes))
        {
            return Errno.Fault;
        }
        stat.Write(bytes);
        return Errno.Success;
    }

    /// <summary>Whether a result of so many bytes may be put there: to be asked before something is done that cannot be
    /// undone.</summary>
    public readonly bool CanPut(int slot, uint bytes) => TryBytes(U32(slot), bytes, out _);

    /// <summary>Reads the path whose address and length are in a slot and the next.</summary>
    public Errno Path(int slot, out string path)
    {
        path = "";
        var length = U32(slot + 1);
        if (length > WasiLimits.PathBytes)
        {
            return Errno.Nametoolong;
        }
        if (!TryBytes(U32(slot), length, out var bytes))
        {
            return Errno.Fault;
        }
        Charge(length);
        if (bytes.Contains((byte)0))
        {
            return Errno.Inval;
        }
        try
        {
            path = Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Errno.Ilseq;
        }
        return path.Length == 0 ? Errno.Noent : Errno.Success;
    }

    /// <summary>Checks the vectors whose address and number are in a slot and the next, before any is used.</summary>
    public readonly Errno CheckVectors(int slot)
    {
        var count = U32(slot + 1);
        if (count > WasiLimits.Vectors)
        {
            return Errno.Inval;
        }
        if (!TryBytes(U32(slot), count * 8, out var vectors))
        {
            return Errno.Fault;
        }
        for (; !vectors.IsEmpty; vectors = vectors[8..])
        {
            var address = BinaryPrimitives.ReadUInt32LittleEndian(vectors);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(vectors[4..]);
            if ((long)address + length > memory!.Length)
            {
                return Errno.Fault;
            }
        }
        return Errno.Success;
    }

    /// <summary>One of the checked vectors, no longer than what the call may still move.</summary>
    public readonly Errno Vector(int slot, uint index, int most, out Span<byte> bytes)
    {
        bytes = default;
        if (!TryBytes(U32(slot) + (index * 8), 8, out var vector))
        {
            return Errno.Fault;
        }
        var length = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(vector[4..]), (uint)most);
        var address = BinaryPrimitives.ReadUInt32LittleEndian(vector);
        return TryBytes(address, length, out bytes) ? Errno.Success : Errno.Fault;
    }
}
