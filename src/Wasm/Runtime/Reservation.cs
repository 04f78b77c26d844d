using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Wasm.Runtime;

/// <summary>Zeroed address space of which the machine gives memory only where it is touched. Freed once, by Dispose or the collector.</summary>
internal sealed unsafe partial class Reservation : SafeHandleZeroOrMinusOneIsInvalid
{
    private const int ReadWrite = 1 | 2;
    private const int PrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
    private const int DontNeed = 4;

    private readonly nuint _bytes;

    public Reservation(nuint bytes) : base(ownsHandle: true)
    {
        _bytes = Math.Max(bytes, 4096);
        var start = Map(0, _bytes, ReadWrite, PrivateAnonymousNoReserve, -1, 0);
        if (start == -1)
        {
            throw new InsufficientMemoryException(
                $"The host cannot reserve {_bytes} bytes of address space for a guest's memory (mmap errno "
                + $"{Marshal.GetLastPInvokeError()}). Raise the limit of address space (ulimit -v), or allow the guest fewer pages.");
        }
        SetHandle(start);
    }

    public byte* Start => (byte*)handle;

    /// <summary>Makes a range zero by giving its whole pages back. Both numbers must be multiples of 4096.</summary>
    public void Clear(nuint from, nuint bytes)
    {
        if (bytes > 0 && Advise((nint)(Start + from), bytes, DontNeed) != 0)
        {
            new Span<byte>(Start + from, checked((int)bytes)).Clear();
        }
    }

    protected override bool ReleaseHandle() => Unmap(handle, _bytes) == 0;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nint address, nuint length, int advice);
}
