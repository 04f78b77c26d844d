using System.Numerics;
using System.Runtime.CompilerServices;

namespace MeshLedger.Wasm.Code;

/// <summary>
/// The scalar instructions that are more than one instruction of IL, by the names of their opcodes: the compiler finds them by
/// that name, the interpreter calls them. Unsigned numbers come as int and long of the same bits (specification, section 4.3.2).
/// </summary>
internal static partial class Numerics
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Clz(int a) => BitOperations.LeadingZeroCount((uint)a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Ctz(int a) => BitOperations.TrailingZeroCount(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Popcnt(int a) => BitOperations.PopCount((uint)a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Shl(int a, int b) => a << b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32ShrS(int a, int b) => a >> b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32ShrU(int a, int b) => a >>> b;

    // Added, not or'ed: the runtime's compiler makes a rotation of the latter, and in .NET 10 takes the processor's zero flag
    // for its result where that is compared with zero, though a rotation leaves the flag as it was.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Rotl(int a, int b) => (a << b) + (a >>> 1 >>> (~b & 31));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Rotr(int a, int b) => (a >>> b) + (a << 1 << (~b & 31));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32DivS(int a, int b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        if (b == -1 && a == int.MinValue)
        {
            Trap.Overflow();
        }
        return a / b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32DivU(int a, int b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return (int)((uint)a / (uint)b);
    }

    // The processor's division traps for the least number by -1, where the remainder is 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32RemS(int a, int b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return b == -1 ? 0 : a % b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32RemU(int a, int b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return (int)((uint)a % (uint)b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Clz(long a) => BitOperations.LeadingZeroCount((ulong)a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Ctz(long a) => BitOperations.TrailingZeroCount(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Popcnt(long a) => BitOperations.PopCount((ulong)a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Shl(long a, long b) => a << (int)b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64ShrS(long a, long b) => a >> (int)b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64ShrU(long a, long b) => a >>> (int)b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Rotl(long a, long b) => (a << (int)b) + (a >>> 1 >>> (int)(~b & 63));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Rotr(long a, long b) => (a >>> (int)b) + (a << 1 << (int)(~b & 63));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64DivS(long a, long b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        if (b == -1 && a == long.MinValue)
        {
            Trap.Overflow();
        }
        return a / b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64DivU(long a, long b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return (long)((ulong)a / (ulong)b);
    }

    // The processor's division traps for the least number by -1, where the remainder is 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64RemS(long a, long b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return b == -1 ? 0 : a % b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64RemU(long a, long b)
    {
        if (b == 0)
        {
            Trap.DivideByZero();
        }
        return (long)((ulong)a % (ulong)b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32WrapI64(long a) => (int)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64ExtendI32S(int a) => a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64ExtendI32U(int a) => (uint)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Extend8S(int a) => (sbyte)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int I32Extend16S(int a) => (short)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Extend8S(long a) => (sbyte)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Extend16S(long a) => (short)a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long I64Extend32S(long a) => (int)a;
}
