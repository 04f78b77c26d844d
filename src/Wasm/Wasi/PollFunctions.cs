using System.Buffers.Binary;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// poll_oneoff. Streams and files are always ready, so a guest only ever waits for a clock, and that it does not
/// really: its clocks go on to the earliest time that it waits for.
/// </summary>
internal sealed class PollFunctions(WasiHost host)
{
    public const uint Monotonic = 1;

    private const int SubscriptionBytes = 48;
    private const int EventBytes = 32;
    private const byte OfClock = 0;
    private const byte OfRead = 1;
    private const byte OfWrite = 2;
    private const ushort HungUp = 1;

    public Errno Oneoff(ref WasiCall call)
    {
        var count = call.U32(2);
        if (count is 0 or > WasiLimits.Subscriptions)
        {
            return Errno.Inval;
        }
        if (!call.TryBytes(call.U32(0), count * SubscriptionBytes, out var guests)
            || !call.TryBytes(call.U32(1), count * EventBytes, out var events) || !call.CanPut(3, 4))
        {
            return Errno.Fault;
        }
        call.Charge(count * (SubscriptionBytes + EventBytes));
        // A copy: the guest may have put the events where the subscriptions are.
        ReadOnlySpan<byte> subscriptions = guests.ToArray();
        var wait = ulong.MaxValue;
        for (var at = subscriptions; !at.IsEmpty; at = at[SubscriptionBytes..])
        {
            if (at[8] > OfWrite)
            {
                return Errno.Inval;
            }
            var waits = at[8] == OfClock && Left(at, call.FuelUsed, out var left) == Errno.Success ? left : 0;
            wait = Math.Min(wait, waits);
        }
        uint given = 0;
        for (var at = subscriptions; !at.IsEmpty; at = at[SubscriptionBytes..])
        {
            var one = events[((int)given * EventBytes)..][..EventBytes];
            given += Event(at, one, call.FuelUsed, wait) ? 1u : 0;
        }
        host.Clock.Sleep(wait);
        return call.Put(3, given);
    }

    /// <summary>Nanoseconds until a clock's time has come.</summary>
    private Errno Left(ReadOnlySpan<byte> subscription, long fuelUsed, out ulong left)
    {
        var clock = BinaryPrimitives.ReadUInt32LittleEndian(subscription[16..]);
        left = BinaryPrimitives.ReadUInt64LittleEndian(subscription[24..]);
        if (clock > Monotonic)
        {
            return clock > 3 ? Errno.Inval : Errno.Notsup;
        }
        if ((BinaryPrimitives.ReadUInt16LittleEndian(subscription[40..]) & 1) != 0)
        {
            var now = clock == Monotonic ? host.Clock.Monotonic(fuelUsed) : host.Clock.Real(fuelUsed);
            left = left > now ? left - now : 0;
        }
        return Errno.Success;
    }

    /// <summary>Writes what became of a subscription; false if it is still to come.</summary>
    private bool Event(ReadOnlySpan<byte> subscription, Span<byte> to, long fuelUsed, ulong waited)
    {
        var errno = Errno.Success;
        ulong bytes = 0;
        ushort flags = 0;
        if (subscription[8] == OfClock)
        {
            errno = Left(subscription, fuelUsed, out var left);
            if (errno == Errno.Success && left > waited)
            {
                return false;
            }
        }
        else
        {
            var descriptor = host.Descriptors.Find(BinaryPrimitives.ReadUInt32LittleEndian(subscription[16..]));
            errno = descriptor is null ? Errno.Badf
                : descriptor.May(Rights.PollFdReadwrite) ? Errno.Success : Errno.Notcapable;
            if (descriptor is not null && subscription[8] == OfRead)
            {
                (bytes, flags) = Ready(descriptor);
            }
        }
        to.Clear();
        subscription[..8].CopyTo(to);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)errno);
        to[10] = subscription[8];
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(to[24..], flags);
        return true;
    }

    private static (ulong Bytes, ushort Flags) Ready(Descriptor descriptor) => descriptor.Node switch
    {
        InputStream { Left: > 0 } input => ((ulong)input.Left, 0),
        InputStream => (0, HungUp),
        FileNode { Seekable: true } file when file.Stat(out var stat) == Errno.Success =>
            (stat.Size - Math.Min(stat.Size, (ulong)descriptor.Offset), 0),
        _ => (0, 0),
    };
}
