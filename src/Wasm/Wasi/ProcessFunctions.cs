using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>args_*, environ_*, clock_*, random_get, proc_* and sched_yield.</summary>
internal sealed class ProcessFunctions(WasiHost host)
{
    private const uint Realtime = 0;
    private const uint LastClock = 3;

    private readonly byte[][] _arguments = [.. host.Options.Arguments.Select(ZeroEnded)];
    private readonly byte[][] _environment =
        [.. host.Options.Environment.Select(pair => ZeroEnded($"{pair.Key}={pair.Value}"))];

    public Errno ArgsGet(ref WasiCall call) => Strings(ref call, _arguments);

    public Errno ArgsSizesGet(ref WasiCall call) => Sizes(ref call, _arguments);

    public Errno EnvironGet(ref WasiCall call) => Strings(ref call, _environment);

    public Errno EnvironSizesGet(ref WasiCall call) => Sizes(ref call, _environment);

    public static Errno ClockResGet(ref WasiCall call) => call.U32(0) > LastClock ? Errno.Inval : call.Put(1, 1UL);

    public Errno ClockTimeGet(ref WasiCall call)
    {
        var clock = call.U32(0);
        var now = clock == Realtime ? host.Clock.Real(call.FuelUsed)
            : clock == PollFunctions.Monotonic ? host.Clock.Monotonic(call.FuelUsed)
            // The processor's time: what the guest did, without what it slept.
            : (ulong)call.FuelUsed;
        return clock > LastClock ? Errno.Inval : call.Put(2, now);
    }

    public Errno RandomGet(ref WasiCall call)
    {
        var length = call.U32(1);
        if (!call.TryBytes(call.U32(0), length, out var bytes))
        {
            return Errno.Fault;
        }
        if (length > WasiLimits.RandomBytes)
        {
            return Errno.Inval;
        }
        // A random byte is work for the host, other than one that is only moved.
        call.Charge(length * 64L);
        host.Random.Fill(bytes);
        return Errno.Success;
    }

    public static Errno Exit(ref WasiCall call) => throw new GuestExitException((int)call.U32(0));

    /// <summary>There are no handlers in preview 1, so a signal that is not ignored ends the guest, as by a shell: 128
    /// and its number.</summary>
    public static Errno Raise(ref WasiCall call) => call.U32(0) switch
    {
        // none, chld, cont, urg and winch do nothing.
        0 or 16 or 17 or 22 or 27 => Errno.Success,
        > 30 => Errno.Inval,
        var signal => throw new GuestExitException(128 + (int)signal),
    };

    public static Errno SchedYield(ref WasiCall call) => Errno.Success;

    private static byte[] ZeroEnded(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    private static Errno Sizes(ref WasiCall call, byte[][] strings) =>
        call.Put(0, (uint)strings.Length) is var errno and not Errno.Success ? errno
        : call.Put(1, (uint)strings.Sum(one => one.Length));

    private static Errno Strings(ref WasiCall call, byte[][] strings)
    {
        var total = (uint)strings.Sum(one => one.Length);
        var address = call.U32(1);
        if (!call.TryBytes(call.U32(0), (uint)strings.Length * 4, out var pointers)
            || !call.TryBytes(address, total, out var text))
        {
            return Errno.Fault;
        }
        call.Charge(total + pointers.Length);
        foreach (var one in strings)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(pointers, address);
            one.CopyTo(text);
            pointers = pointers[4..];
            text = text[one.Length..];
            address += (uint)one.Length;
        }
        return Errno.Success;
    }
}
