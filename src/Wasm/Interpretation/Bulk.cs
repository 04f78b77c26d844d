using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;
using V128 = System.Runtime.Intrinsics.Vector128<byte>;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>Instructions on whole ranges, tables and references. They charge by length once it is known that all is in bounds.</summary>
internal static unsafe class Bulk
{
    public static void Execute(Instance instance, Instruction* ip, byte* f)
    {
        switch (ip->Step)
        {
            case Step.ConstantWide:
                *(long*)(f + ip->A) = ip->Immediate;
                *(long*)(f + ip->A + 8) = (uint)ip->B | ((long)ip->C << 32);
                break;
            case Step.SelectWide:
                *(V128*)(f + ip->A) = *(V128*)(f + (*(int*)(f + (int)ip->Immediate) != 0 ? ip->B : ip->C));
                break;
            case Step.GlobalGetWide:
                *(V128*)(f + ip->A) = *(V128*)instance.GlobalCells[ip->B];
                break;
            case Step.GlobalSetWide:
                *(V128*)instance.GlobalCells[ip->A] = *(V128*)(f + ip->B);
                break;
            case Step.RefIsNull:
                *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) == 0 ? 1u : 0u;
                break;
            case Step.RefFunc:
                *(ulong*)(f + ip->A) = instance.HandleOf(ip->B);
                break;
            case Step.DataDrop:
                instance.DroppedData[ip->A] = true;
                break;
            case Step.ElemDrop:
                instance.DroppedElements[ip->A] = true;
                break;
            case Step.MemoryInit or Step.MemoryCopy or Step.MemoryFill:
                OnMemory(instance, ip, *(uint*)(f + ip->A), *(uint*)(f + ip->B), *(uint*)(f + ip->C));
                break;
            case Step.TableInit or Step.TableCopy or Step.TableFill:
                OnTable(instance, ip, *(uint*)(f + ip->A), *(ulong*)(f + ip->B), *(uint*)(f + ip->C));
                break;
            default:
                OnEntry(instance, ip, f);
                break;
        }
    }

    private static void OnMemory(Instance instance, Instruction* ip, uint to, uint from, uint count)
    {
        var length = (ulong)instance.MemoryLength;
        if (ip->Step == Step.MemoryInit)
        {
            instance.InitMemory((int)ip->Immediate, to, from, count);
        }
        else if ((ulong)to + count > length || (ip->Step == Step.MemoryCopy && (ulong)from + count > length))
        {
            Trap.OutOfMemory();
        }
        else if (ip->Step == Step.MemoryCopy)
        {
            Buffer.MemoryCopy(instance.MemoryBase + from, instance.MemoryBase + to, count, count);
        }
        else
        {
            NativeMemory.Fill(instance.MemoryBase + to, count, (byte)from);
        }
        instance.Fuel -= FuelCosts.OfBytes(count);
    }

    private static void OnTable(Instance instance, Instruction* ip, uint to, ulong from, uint count)
    {
        var table = instance.Tables[(int)(ip->Immediate >> 32)];
        var source = (int)ip->Immediate;
        if (ip->Step == Step.TableInit)
        {
            instance.InitTable(source, (int)(ip->Immediate >> 32), to, (uint)from, count);
        }
        else if ((ulong)to + count > (uint)table.Count
            || (ip->Step == Step.TableCopy && (uint)from + (ulong)count > (uint)instance.Tables[source].Count))
        {
            Trap.OutOfTable();
        }
        else if (ip->Step == Step.TableCopy)
        {
            var bytes = (ulong)count * sizeof(ulong);
            Buffer.MemoryCopy(instance.Tables[source].Elements + (uint)from, table.Elements + to, bytes, bytes);
        }
        else
        {
            new Span<ulong>(table.Elements + to, (int)count).Fill(from);
        }
        instance.Fuel -= FuelCosts.OfEntries(count);
    }

    private static void OnEntry(Instance instance, Instruction* ip, byte* f)
    {
        var table = instance.Tables[(int)ip->Immediate];
        switch (ip->Step)
        {
            case Step.TableSize:
                *(ulong*)(f + ip->A) = (uint)table.Count;
                break;
            case Step.TableGrow:
                var grown = *(uint*)(f + ip->C);
                var before = table.Grow(grown, *(ulong*)(f + ip->B));
                *(ulong*)(f + ip->A) = (uint)before;
                if (before >= 0)
                {
                    instance.Fuel -= FuelCosts.OfEntries(grown);
                }
                break;
            case Step.TableGet:
                *(ulong*)(f + ip->A) = *Element(table, *(uint*)(f + ip->B));
                break;
            case Step.TableSet:
                *Element(table, *(uint*)(f + ip->A)) = *(ulong*)(f + ip->B);
                break;
            default:
                throw new InvalidOperationException($"{ip->Step} is not an instruction of the interpreter.");
        }
    }

    private static ulong* Element(Table table, uint index)
    {
        if (index >= (uint)table.Count)
        {
            Trap.OutOfTable();
        }
        return table.Elements + index;
    }
}
