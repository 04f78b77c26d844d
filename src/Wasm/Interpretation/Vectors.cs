using MeshLedger.Wasm.Code;
using V128 = System.Runtime.Intrinsics.Vector128<byte>;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>The addresses of the functions of <see cref="Simd"/>, which the lowered form holds.</summary>
internal static class SimdFunctions
{
    private static readonly nint[] Addresses = Find();

    public static nint Of(Opcode code) => Addresses[(byte)code];

    public static nint Of(int number) => Addresses[number];

    private static nint[] Find()
    {
        var addresses = new nint[256];
        foreach (var code in Enum.GetValues<Opcode>())
        {
            if ((int)code >> 8 == 0xFD && typeof(Simd).GetMethod(code.ToString()) is { } method)
            {
                addresses[(byte)code] = method.MethodHandle.GetFunctionPointer();
            }
        }
        return addresses;
    }
}

/// <summary>v128 instructions on operands in the frame, one case a shape. Operands are read before the result is written.</summary>
internal static unsafe class Vectors
{
    public static void Execute(Instruction* ip, byte* f)
    {
        var function = (void*)ip->Immediate;
        var a = f + ip->A;
        var b = f + ip->B;
        switch (ip->Step)
        {
            case Step.VectorUnary:
                *(V128*)a = ((delegate*<V128, V128>)function)(*(V128*)b);
                break;
            case Step.VectorTernary:
                // The operands stand in a row, each in its own place.
                *(V128*)a = ((delegate*<V128, V128, V128, V128>)function)(*(V128*)b, *(V128*)(b + 16), *(V128*)(b + 32));
                break;
            case Step.VectorShuffle:
                // Both operands stand in a row where the result goes; the mask fills B, C and Immediate.
                *(V128*)a = Simd.I8x16Shuffle(*(V128*)a, *(V128*)(a + 16), *(V128*)&ip->B);
                break;
            case Step.VectorShift:
                *(V128*)a = ((delegate*<V128, int, V128>)function)(*(V128*)b, *(int*)(f + ip->C));
                break;
            case Step.VectorTest:
                *(ulong*)a = (uint)((delegate*<V128, int>)function)(*(V128*)b);
                break;
            case Step.VectorSplat:
                *(V128*)a = ((delegate*<int, V128>)function)(*(int*)b);
                break;
            case Step.VectorSplat64:
                *(V128*)a = ((delegate*<long, V128>)function)(*(long*)b);
                break;
            case Step.ExtractLane8S:
                *(ulong*)a = (uint)*(sbyte*)b;
                break;
            case Step.ExtractLane8U:
                *(ulong*)a = *b;
                break;
            case Step.ExtractLane16S:
                *(ulong*)a = (uint)*(short*)b;
                break;
            case Step.ExtractLane16U:
                *(ulong*)a = *(ushort*)b;
                break;
            case Step.ReplaceLane8:
                var lane8 = *(f + ip->C);
                *(V128*)a = *(V128*)b;
                a[ip->Extra] = lane8;
                break;
            case Step.ReplaceLane16:
                var lane16 = *(ushort*)(f + ip->C);
                *(V128*)a = *(V128*)b;
                ((ushort*)a)[ip->Extra] = lane16;
                break;
            case Step.ReplaceLane32:
                var lane32 = *(uint*)(f + ip->C);
                *(V128*)a = *(V128*)b;
                ((uint*)a)[ip->Extra] = lane32;
                break;
            case Step.ReplaceLane64:
                var lane64 = *(ulong*)(f + ip->C);
                *(V128*)a = *(V128*)b;
                ((ulong*)a)[ip->Extra] = lane64;
                break;
            default:
                throw new InvalidOperationException($"{ip->Step} is not an instruction on vectors.");
        }
    }
}

/// <summary>v128 loads and stores that are more than a copy.</summary>
internal static unsafe class VectorMemory
{
    /// <summary>False when the access is out of bounds.</summary>
    public static bool Execute(Instruction* ip, byte* f, byte* memory, ulong length)
    {
        var stores = ip->Step == Step.VectorStoreLane;
        var at = *(uint*)(f + (stores ? ip->A : ip->B)) + (ulong)ip->Immediate;
        if (at + Bytes(ip) > length)
        {
            return false;
        }
        var a = f + ip->A;
        var address = memory + at;
        switch (ip->Step)
        {
            case Step.VectorLoadFunction64:
                *(V128*)a = ((delegate*<ulong, V128>)SimdFunctions.Of(ip->C))(*(ulong*)address);
                break;
            case Step.VectorLoadFunction32:
                *(V128*)a = ((delegate*<int, V128>)SimdFunctions.Of(ip->C))(*(int*)address);
                break;
            case Step.VectorLoadFunction16:
                *(V128*)a = ((delegate*<int, V128>)SimdFunctions.Of(ip->C))(*(short*)address);
                break;
            case Step.VectorLoadFunction8:
                *(V128*)a = ((delegate*<int, V128>)SimdFunctions.Of(ip->C))(*address);
                break;
            case Step.VectorLoadLane:
                var v = *(V128*)(f + ip->C);
                *(V128*)a = v;
                Buffer.MemoryCopy(address, a + (ip->Extra & 15), 16, ip->Extra >> 4);
                break;
            default:
                Buffer.MemoryCopy(f + ip->B + (ip->Extra & 15), address, 16, ip->Extra >> 4);
                break;
        }
        return true;
    }

    /// <summary>Of a lane's access, Extra is its place in the vector and, from bit 4, its bytes.</summary>
    private static uint Bytes(Instruction* ip) => ip->Step switch
    {
        Step.VectorLoadFunction64 => 8,
        Step.VectorLoadFunction32 => 4,
        Step.VectorLoadFunction16 => 2,
        Step.VectorLoadFunction8 => 1,
        _ => (uint)ip->Extra >> 4,
    };
}
