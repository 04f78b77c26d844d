using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace MeshLedger.Wasm.Code;

/// <summary>Throws, out of line, so that what is inlined into guest code stays small.</summary>
internal static class Trap
{
    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void Throw(TrapKind kind) => throw new TrapException(kind);

    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void DivideByZero() => Throw(TrapKind.IntegerDivideByZero);

    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void Overflow() => Throw(TrapKind.IntegerOverflow);

    /// <summary>A float that is NaN has no integer; another that comes here is out of range.</summary>
    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void Conversion(double value) =>
        Throw(double.IsNaN(value) ? TrapKind.InvalidConversionToInteger : TrapKind.IntegerOverflow);

    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void OutOfMemory() => Throw(TrapKind.OutOfBoundsMemoryAccess);

    [DoesNotReturn, MethodImpl(MethodImplOptions.NoInlining)]
    public static void OutOfTable() => Throw(TrapKind.OutOfBoundsTableAccess);
}
