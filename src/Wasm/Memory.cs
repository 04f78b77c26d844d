using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

/// <summary>
/// A linear memory. Its address space is reserved up to its maximum when it is made, so that its base never moves and growth
/// is a number; the machine's memory is taken page by page as the guest touches it, and given back by Dispose.
/// </summary>
public sealed unsafe class Memory : IDisposable
{
    /// <summary>Bytes of a page (section 4.2.8).</summary>
    public const int PageSize = 65_536;

    private readonly Reservation _reservation;
    private readonly List<WeakReference<Instance>> _attached = [];

    /// <param name="minimum">Pages at the start.</param>
    /// <param name="maximum">Pages that the type allows; null is 65,536.</param>
    /// <param name="limit">Pages that the run allows (<see cref="RunLimits.MemoryPages"/>).</param>
    public Memory(uint minimum, uint? maximum = null, int limit = 65_536)
    {
        DeclaredMaximum = maximum;
        var most = Math.Min(maximum ?? 65_536, (uint)Math.Clamp(limit, 0, 65_536));
        if (minimum > most)
        {
            throw new ModuleLimitException($"A memory of {minimum} pages is asked for, {most} are allowed.");
        }
        MaximumPages = (int)most;
        _reservation = new Reservation((nuint)most * PageSize);
        Base = _reservation.Start;
        Pages = (int)minimum;
    }

    public int Pages { get; private set; }

    /// <summary>Pages beyond which it does not grow: the smaller of its type's and the run's limit.</summary>
    public int MaximumPages { get; }

    /// <summary>The maximum of its type, null if it has none.</summary>
    public uint? DeclaredMaximum { get; }

    public long Length => (long)Pages * PageSize;

    internal byte* Base { get; }

    /// <summary>Adds zeroed pages; gives the size before, or -1 if there would be too many.</summary>
    public int Grow(uint delta)
    {
        var before = Pages;
        if (delta > (uint)(MaximumPages - before))
        {
            return -1;
        }
        Pages = before + (int)delta;
        Tell();
        return before;
    }

    /// <summary>A view of some bytes, or false if they are not all inside. Not to be kept across calls of the guest.</summary>
    public bool TrySlice(uint address, uint length, out Span<byte> bytes)
    {
        if ((long)address + length > Length || length > int.MaxValue)
        {
            bytes = default;
            return false;
        }
        bytes = new Span<byte>(Base + address, (int)length);
        return true;
    }

    public void Dispose()
    {
        // Whoever still holds it finds it empty.
        Pages = 0;
        Tell();
        _reservation.Dispose();
    }

    /// <summary>Instances keep the length beside their other hot fields; growth tells them.</summary>
    internal void Attach(Instance instance)
    {
        _attached.Add(new WeakReference<Instance>(instance));
        instance.MemoryBase = Base;
        instance.MemoryLength = Length;
    }

    /// <summary>Sets the size when a snapshot is restored; all bytes must be zero before.</summary>
    internal void Resize(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pages, MaximumPages);
        Pages = pages;
        Tell();
    }

    private void Tell()
    {
        foreach (var attached in _attached)
        {
            if (attached.TryGetTarget(out var instance))
            {
                instance.MemoryLength = Length;
            }
        }
    }
}
