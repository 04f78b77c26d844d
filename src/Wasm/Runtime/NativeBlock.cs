using System.Runtime.InteropServices;

namespace MeshLedger.Wasm.Runtime;

/// <summary>Zeroed 64-bit words outside the collector's heap, whose address compiled code may hold.</summary>
internal sealed unsafe class NativeBlock(int words)
{
    public ulong* Words { get; private set; } = (ulong*)NativeMemory.AlignedAlloc((nuint)Math.Max(words, 2) * sizeof(ulong), 16);

    public int Length { get; } = words;

    ~NativeBlock() => NativeMemory.AlignedFree(Words);

    /// <summary>Gives the words back before the collector would; nobody may hold their address any more.</summary>
    public void Free()
    {
        NativeMemory.AlignedFree(Words);
        Words = null;
    }

    public NativeBlock Clear()
    {
        new Span<ulong>(Words, Math.Max(Length, 2)).Clear();
        return this;
    }
}
