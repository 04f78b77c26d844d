using System.Runtime.InteropServices;

namespace MeshLedger.Wasm.Runtime;

/// <summary>
/// How far the host's stack may grow down on this thread. Compiled functions compare their frame's address with it on entry and
/// go on in the interpreter, whose frames are not on this stack, when it is near: the call depth alone decides when a guest
/// traps, whatever the size of a frame or of a thread's stack.
/// </summary>
internal static unsafe partial class HostStack
{
    /// <summary>
    /// For the host's own functions below the guest, those of <see cref="Store.MostCrossings"/> open calls among them, the collector
    /// and signal handlers.
    /// </summary>
    private const int Reserve = 320 << 10;

    [ThreadStatic]
    private static nuint _lowest;

    public static nuint LimitFor(Module module)
    {
        if (_lowest == 0)
        {
            _lowest = Lowest();
        }
        return _lowest + Reserve + (nuint)module.LargestFrame;
    }

    private static nuint Lowest()
    {
        // Large enough for the C library's pthread_attr_t on 64-bit Linux (56 bytes with glibc and musl).
        var attributes = stackalloc byte[256];
        if (pthread_getattr_np(pthread_self(), attributes) != 0)
        {
            // Unknown: half a megabyte below here is what any thread of .NET has.
            return (nuint)attributes - (512 << 10);
        }
        var known = pthread_attr_getstack(attributes, out var lowest, out _) == 0;
        _ = pthread_attr_destroy(attributes);
        return known ? lowest : (nuint)attributes - (512 << 10);
    }

    [LibraryImport("libc")]
    private static partial nint pthread_self();

    [LibraryImport("libc")]
    private static partial int pthread_getattr_np(nint thread, byte* attributes);

    [LibraryImport("libc")]
    private static partial int pthread_attr_getstack(byte* attributes, out nuint lowest, out nuint size);

    [LibraryImport("libc")]
    private static partial int pthread_attr_destroy(byte* attributes);
}
