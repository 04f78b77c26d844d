using System.Runtime.Intrinsics;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Memories, tables and segments (section 4.4), charged by what they move once it is known to be within bounds.
internal static unsafe partial class CompiledRuntime
{
    public static Vector128<byte> AsBytes(Vector128<ulong> vector) => vector.AsByte();

    /// <summary>Not inlined, because the host's compiler makes a quiet NaN of a signalling one where it knows the bits.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    public static float SingleOfBits(int bits) => BitConverter.Int32BitsToSingle(bits);

    public static int MemoryGrow(int delta, Instance instance)
    {
        var before = instance.Memories[0].Grow((uint)delta);
        if (before >= 0)
        {
            instance.Charge(delta * (long)FuelCosts.GrownPage);
        }
        return before;
    }

    public static void MemoryFill(int to, int value, int count, Instance instance)
    {
        Within((uint)to, (uint)count, instance);
        instance.Charge(FuelCosts.OfBytes((uint)count));
        System.Runtime.CompilerServices.Unsafe.InitBlockUnaligned(instance.MemoryBase + (uint)to, (byte)value, (uint)count);
    }

    public static void MemoryCopy(int to, int from, int count, Instance instance)
    {
        Within((uint)to, (uint)count, instance);
        Within((uint)from, (uint)count, instance);
        instance.Charge(FuelCosts.OfBytes((uint)count));
        Buffer.MemoryCopy(instance.MemoryBase + (uint)from, instance.MemoryBase + (uint)to, (uint)count, (uint)count);
    }

    public static void MemoryInit(int to, int from, int count, Instance instance, int segment)
    {
        instance.InitMemory(segment, (uint)to, (uint)from, (uint)count);
        instance.Charge(FuelCosts.OfBytes((uint)count));
    }

    public static void DataDrop(Instance instance, int segment) => instance.DroppedData[segment] = true;

    public static void ElementDrop(Instance instance, int segment) => instance.DroppedElements[segment] = true;

    public static void TableInit(int to, int from, int count, Instance instance, int segment, int table)
    {
        instance.InitTable(segment, table, (uint)to, (uint)from, (uint)count);
        instance.Charge(FuelCosts.OfEntries((uint)count));
    }

    public static void TableCopy(int to, int from, int count, Instance instance, int destination, int source)
    {
        var (target, origin) = (instance.Tables[destination], instance.Tables[source]);
        Within((uint)to, (uint)count, target);
        Within((uint)from, (uint)count, origin);
        instance.Charge(FuelCosts.OfEntries((uint)count));
        new ReadOnlySpan<ulong>(origin.Elements + (uint)from, count).CopyTo(new Span<ulong>(target.Elements + (uint)to, count));
    }

    public static void TableFill(int to, long reference, int count, Instance instance, int table)
    {
        var target = instance.Tables[table];
        Within((uint)to, (uint)count, target);
        instance.Charge(FuelCosts.OfEntries((uint)count));
        new Span<ulong>(target.Elements + (uint)to, count).Fill((ulong)reference);
    }

    public static int TableGrow(long reference, int delta, Instance instance, int table)
    {
        var before = instance.Tables[table].Grow((uint)delta, (ulong)reference);
        if (before >= 0)
        {
            instance.Charge(FuelCosts.OfEntries((uint)delta));
        }
        return before;
    }

    public static int TableSize(Instance instance, int table) => instance.Tables[table].Count;

    public static long TableGet(int index, Instance instance, int table)
    {
        var source = instance.Tables[table];
        Within((uint)index, 1, source);
        return (long)source.Elements[(uint)index];
    }

    public static void TableSet(int index, long reference, Instance instance, int table)
    {
        var target = instance.Tables[table];
        Within((uint)index, 1, target);
        target.Elements[(uint)index] = (ulong)reference;
    }

    public static long FunctionReference(Instance instance, int function) => (long)instance.HandleOf(function);

    private static void Within(uint start, uint count, Instance instance)
    {
        if ((long)start + count > instance.MemoryLength)
        {
            ThrowNow(TrapKind.OutOfBoundsMemoryAccess);
        }
    }

    private static void Within(uint start, uint count, Table table)
    {
        if ((ulong)start + count > (ulong)table.Count)
        {
            ThrowNow(TrapKind.OutOfBoundsTableAccess);
        }
    }
}
