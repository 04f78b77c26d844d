using System.Runtime.CompilerServices;
using MeshLedger.Wasm.Code;
using V128 = System.Runtime.Intrinsics.Vector128<byte>;

namespace MeshLedger.Wasm.Interpretation;

// The loop. What it holds in registers: the instruction, the frame, the memory and its length. One line an instruction, as a
// table; all calls out of it are to functions that stay out of line, and no local's address is taken.
internal static unsafe partial class Interpreter
{
    /// <summary>Runs from the instruction after <paramref name="ip"/> until the base frame returns (true) or a pause (false).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Run(Instance instance, LoweredModule module, InterpreterStack stack, Instruction* ip, int depth)
    {
        var record = stack.Top;
        var f = record->Frame;
        var memory = instance.MemoryBase;
        var length = (ulong)instance.MemoryLength;
        LoweredCode callee;
        byte* next;
        ulong at;
        ip++;
        for (; ; ip++)
        {
            switch (ip->Step)
            {
                case Step.Br: goto Jump;
                case Step.BrIf: if (*(int*)(f + ip->B) != 0) { goto Jump; } goto Stay;
                case Step.BrIfZero: if (*(int*)(f + ip->B) == 0) { goto Jump; } goto Stay;
                case Step.BrTable:
                    ip += 1 + Math.Min(*(uint*)(f + ip->B), (uint)ip->C);
                    goto Jump;
                case Step.BrIfI32Eq: if (*(int*)(f + ip->B) == *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32EqImm: if (*(int*)(f + ip->B) == (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32Ne: if (*(int*)(f + ip->B) != *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32NeImm: if (*(int*)(f + ip->B) != (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32LtS: if (*(int*)(f + ip->B) < *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32LtSImm: if (*(int*)(f + ip->B) < (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32LtU: if (*(uint*)(f + ip->B) < *(uint*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32LtUImm: if (*(uint*)(f + ip->B) < (uint)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32GtS: if (*(int*)(f + ip->B) > *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32GtSImm: if (*(int*)(f + ip->B) > (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32GtU: if (*(uint*)(f + ip->B) > *(uint*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32GtUImm: if (*(uint*)(f + ip->B) > (uint)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32LeS: if (*(int*)(f + ip->B) <= *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32LeSImm: if (*(int*)(f + ip->B) <= (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32LeU: if (*(uint*)(f + ip->B) <= *(uint*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32LeUImm: if (*(uint*)(f + ip->B) <= (uint)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32GeS: if (*(int*)(f + ip->B) >= *(int*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32GeSImm: if (*(int*)(f + ip->B) >= (int)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI32GeU: if (*(uint*)(f + ip->B) >= *(uint*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI32GeUImm: if (*(uint*)(f + ip->B) >= (uint)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64Eq: if (*(long*)(f + ip->B) == *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64EqImm: if (*(long*)(f + ip->B) == (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64Ne: if (*(long*)(f + ip->B) != *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64NeImm: if (*(long*)(f + ip->B) != (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64LtS: if (*(long*)(f + ip->B) < *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64LtSImm: if (*(long*)(f + ip->B) < (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64LtU: if (*(ulong*)(f + ip->B) < *(ulong*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64LtUImm: if (*(ulong*)(f + ip->B) < (ulong)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64GtS: if (*(long*)(f + ip->B) > *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64GtSImm: if (*(long*)(f + ip->B) > (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64GtU: if (*(ulong*)(f + ip->B) > *(ulong*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64GtUImm: if (*(ulong*)(f + ip->B) > (ulong)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64LeS: if (*(long*)(f + ip->B) <= *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64LeSImm: if (*(long*)(f + ip->B) <= (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64LeU: if (*(ulong*)(f + ip->B) <= *(ulong*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64LeUImm: if (*(ulong*)(f + ip->B) <= (ulong)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64GeS: if (*(long*)(f + ip->B) >= *(long*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64GeSImm: if (*(long*)(f + ip->B) >= (long)ip->Immediate) { goto Jump; } goto Stay;
                case Step.BrIfI64GeU: if (*(ulong*)(f + ip->B) >= *(ulong*)(f + ip->C)) { goto Jump; } goto Stay;
                case Step.BrIfI64GeUImm: if (*(ulong*)(f + ip->B) >= (ulong)ip->Immediate) { goto Jump; } goto Stay;
                case Step.Charge: instance.Fuel -= ip->Immediate; continue;
                case Step.ChargeCheck:
                    if ((instance.Fuel -= ip->Immediate) < 0 && instance.Owner.Check(instance) < 0)
                    {
                        return stack.Pause(ip, record);
                    }
                    continue;
                case Step.Call:
                    callee = module.Functions[ip->B] ?? module.Lower(ip->B);
                    next = f + ip->A;
                    break;
                case Step.CallIndirect:
                    var target = Indirect(instance, ip, f);
                    next = f + ip->A;
                    if (target >= 0)
                    {
                        callee = module.Functions[target] ?? module.Lower(target);
                        break;
                    }
                    CallForeign(instance, module, stack, ip, record, depth);
                    goto Returned;
                case Step.CallImport:
                    CallImport(instance, module, stack, ip, record, depth);
                    goto Returned;
                case Step.ReturnValue:
                    *(ulong*)f = *(ulong*)(f + ip->B);
                    goto case Step.Return;
                case Step.Return:
                    depth += ip->C;
                    ip = record->Return;
                    stack.Top = --record;
                    if (ip == null)
                    {
                        return true;
                    }
                    f = record->Frame;
                    if (instance.Fuel < 0 && instance.Owner.Check(instance) < 0)
                    {
                        return stack.Pause(ip, record);
                    }
                    continue;
                case Step.Unreachable: Trap.Throw(TrapKind.Unreachable); continue;
                case Step.Copy: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B); continue;
                case Step.CopyWide: *(V128*)(f + ip->A) = *(V128*)(f + ip->B); continue;
                case Step.Copy32: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B); continue;
                case Step.Constant: *(long*)(f + ip->A) = ip->Immediate; continue;
                case Step.Select:
                    *(ulong*)(f + ip->A) = *(ulong*)(f + (*(int*)(f + (int)ip->Immediate) != 0 ? ip->B : ip->C));
                    continue;
                case Step.GlobalGet: *(ulong*)(f + ip->A) = *instance.GlobalCells[ip->B]; continue;
                case Step.GlobalGet32: *(ulong*)(f + ip->A) = (uint)*instance.GlobalCells[ip->B]; continue;
                case Step.GlobalSet: *instance.GlobalCells[ip->A] = *(ulong*)(f + ip->B); continue;
                case Step.MemorySize: *(ulong*)(f + ip->A) = length >> 16; continue;
                case Step.MemoryGrow:
                    GrowMemory(instance, ip, f);
                    length = (ulong)instance.MemoryLength;
                    continue;
                case Step.Load8U: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 1 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(byte*)(memory + at); continue;
                case Step.Load8UIndexed: at = (uint)(*(int*)(f + ip->B) + *(int*)(f + ip->C)) + (ulong)ip->Immediate;
                    if (at + 1 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(byte*)(memory + at); continue;
                case Step.Load16U: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 2 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(ushort*)(memory + at); continue;
                case Step.Load16UIndexed: at = (uint)(*(int*)(f + ip->B) + *(int*)(f + ip->C)) + (ulong)ip->Immediate;
                    if (at + 2 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(ushort*)(memory + at); continue;
                case Step.Load32: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 4 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(uint*)(memory + at); continue;
                case Step.Load32Indexed: at = (uint)(*(int*)(f + ip->B) + *(int*)(f + ip->C)) + (ulong)ip->Immediate;
                    if (at + 4 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(uint*)(memory + at); continue;
                case Step.Load64: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 8 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(ulong*)(memory + at); continue;
                case Step.Load64Indexed: at = (uint)(*(int*)(f + ip->B) + *(int*)(f + ip->C)) + (ulong)ip->Immediate;
                    if (at + 8 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = *(ulong*)(memory + at); continue;
                case Step.I32Load8S: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 1 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = (uint)(int)*(sbyte*)(memory + at); continue;
                case Step.I32Load16S: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 2 > length) { goto OutOfBounds; } *(ulong*)(f + ip->A) = (uint)(int)*(short*)(memory + at); continue;
                case Step.I64Load8S: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 1 > length) { goto OutOfBounds; } *(long*)(f + ip->A) = *(sbyte*)(memory + at); continue;
                case Step.I64Load16S: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 2 > length) { goto OutOfBounds; } *(long*)(f + ip->A) = *(short*)(memory + at); continue;
                case Step.I64Load32S: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 4 > length) { goto OutOfBounds; } *(long*)(f + ip->A) = *(int*)(memory + at); continue;
                case Step.Store8: at = *(uint*)(f + ip->A) + (ulong)ip->Immediate;
                    if (at + 1 > length) { goto OutOfBounds; } *(byte*)(memory + at) = *(byte*)(f + ip->B); continue;
                case Step.Store16: at = *(uint*)(f + ip->A) + (ulong)ip->Immediate;
                    if (at + 2 > length) { goto OutOfBounds; } *(ushort*)(memory + at) = *(ushort*)(f + ip->B); continue;
                case Step.Store32: at = *(uint*)(f + ip->A) + (ulong)ip->Immediate;
                    if (at + 4 > length) { goto OutOfBounds; } *(uint*)(memory + at) = *(uint*)(f + ip->B); continue;
                case Step.Store64: at = *(uint*)(f + ip->A) + (ulong)ip->Immediate;
                    if (at + 8 > length) { goto OutOfBounds; } *(ulong*)(memory + at) = *(ulong*)(f + ip->B); continue;
                case Step.I32Eqz: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) == 0 ? 1u : 0u; continue;
                case Step.I32Eq: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) == *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32Ne: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) != *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32LtS: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) < *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32LtU: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) < *(uint*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32GtS: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) > *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32GtU: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) > *(uint*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32LeS: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) <= *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32LeU: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) <= *(uint*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32GeS: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) >= *(int*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32GeU: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) >= *(uint*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32EqImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) == (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32NeImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) != (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32LtSImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) < (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32LtUImm: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) < (uint)ip->Immediate ? 1u : 0u; continue;
                case Step.I32GtSImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) > (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32GtUImm: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) > (uint)ip->Immediate ? 1u : 0u; continue;
                case Step.I32LeSImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) <= (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32LeUImm: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) <= (uint)ip->Immediate ? 1u : 0u; continue;
                case Step.I32GeSImm: *(ulong*)(f + ip->A) = *(int*)(f + ip->B) >= (int)ip->Immediate ? 1u : 0u; continue;
                case Step.I32GeUImm: *(ulong*)(f + ip->A) = *(uint*)(f + ip->B) >= (uint)ip->Immediate ? 1u : 0u; continue;
                case Step.I64Eqz: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) == 0 ? 1u : 0u; continue;
                case Step.I64Eq: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) == *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64Ne: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) != *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64LtS: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) < *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64LtU: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) < *(ulong*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64GtS: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) > *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64GtU: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) > *(ulong*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64LeS: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) <= *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64LeU: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) <= *(ulong*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64GeS: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) >= *(long*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64GeU: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) >= *(ulong*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I64EqImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) == (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64NeImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) != (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64LtSImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) < (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64LtUImm: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) < (ulong)ip->Immediate ? 1u : 0u; continue;
                case Step.I64GtSImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) > (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64GtUImm: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) > (ulong)ip->Immediate ? 1u : 0u; continue;
                case Step.I64LeSImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) <= (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64LeUImm: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) <= (ulong)ip->Immediate ? 1u : 0u; continue;
                case Step.I64GeSImm: *(ulong*)(f + ip->A) = *(long*)(f + ip->B) >= (long)ip->Immediate ? 1u : 0u; continue;
                case Step.I64GeUImm: *(ulong*)(f + ip->A) = *(ulong*)(f + ip->B) >= (ulong)ip->Immediate ? 1u : 0u; continue;
                case Step.F32Eq: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) == *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F32Ne: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) != *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F32Lt: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) < *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F32Gt: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) > *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F32Le: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) <= *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F32Ge: *(ulong*)(f + ip->A) = *(float*)(f + ip->B) >= *(float*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Eq: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) == *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Ne: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) != *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Lt: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) < *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Gt: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) > *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Le: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) <= *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.F64Ge: *(ulong*)(f + ip->A) = *(double*)(f + ip->B) >= *(double*)(f + ip->C) ? 1u : 0u; continue;
                case Step.I32Clz: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Clz(*(int*)(f + ip->B))); continue;
                case Step.I32Ctz: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Ctz(*(int*)(f + ip->B))); continue;
                case Step.I32Popcnt: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Popcnt(*(int*)(f + ip->B))); continue;
                case Step.I32Add: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) + *(int*)(f + ip->C)); continue;
                case Step.I32Sub: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) - *(int*)(f + ip->C)); continue;
                case Step.I32Mul: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) * *(int*)(f + ip->C)); continue;
                case Step.I32DivS: *(ulong*)(f + ip->A) = (uint)(Numerics.I32DivS(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32DivU: *(ulong*)(f + ip->A) = (uint)(Numerics.I32DivU(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32RemS: *(ulong*)(f + ip->A) = (uint)(Numerics.I32RemS(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32RemU: *(ulong*)(f + ip->A) = (uint)(Numerics.I32RemU(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32And: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) & *(int*)(f + ip->C)); continue;
                case Step.I32Or: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) | *(int*)(f + ip->C)); continue;
                case Step.I32Xor: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) ^ *(int*)(f + ip->C)); continue;
                case Step.I32Shl: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) << *(int*)(f + ip->C)); continue;
                case Step.I32ShrS: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) >> *(int*)(f + ip->C)); continue;
                case Step.I32ShrU: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) >>> *(int*)(f + ip->C)); continue;
                case Step.I32Rotl: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Rotl(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32Rotr: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Rotr(*(int*)(f + ip->B), *(int*)(f + ip->C))); continue;
                case Step.I32AddImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) + (int)ip->Immediate); continue;
                case Step.I32MulImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) * (int)ip->Immediate); continue;
                case Step.I32AndImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) & (int)ip->Immediate); continue;
                case Step.I32OrImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) | (int)ip->Immediate); continue;
                case Step.I32XorImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) ^ (int)ip->Immediate); continue;
                case Step.I32ShlImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) << (int)ip->Immediate); continue;
                case Step.I32ShrSImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) >> (int)ip->Immediate); continue;
                case Step.I32ShrUImm: *(ulong*)(f + ip->A) = (uint)(*(int*)(f + ip->B) >>> (int)ip->Immediate); continue;
                case Step.I32RotlImm: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Rotl(*(int*)(f + ip->B), (int)ip->Immediate)); continue;
                case Step.I64Clz: *(long*)(f + ip->A) = Numerics.I64Clz(*(long*)(f + ip->B)); continue;
                case Step.I64Ctz: *(long*)(f + ip->A) = Numerics.I64Ctz(*(long*)(f + ip->B)); continue;
                case Step.I64Popcnt: *(long*)(f + ip->A) = Numerics.I64Popcnt(*(long*)(f + ip->B)); continue;
                case Step.I64Add: *(long*)(f + ip->A) = *(long*)(f + ip->B) + *(long*)(f + ip->C); continue;
                case Step.I64Sub: *(long*)(f + ip->A) = *(long*)(f + ip->B) - *(long*)(f + ip->C); continue;
                case Step.I64Mul: *(long*)(f + ip->A) = *(long*)(f + ip->B) * *(long*)(f + ip->C); continue;
                case Step.I64DivS: *(long*)(f + ip->A) = Numerics.I64DivS(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64DivU: *(long*)(f + ip->A) = Numerics.I64DivU(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64RemS: *(long*)(f + ip->A) = Numerics.I64RemS(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64RemU: *(long*)(f + ip->A) = Numerics.I64RemU(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64And: *(long*)(f + ip->A) = *(long*)(f + ip->B) & *(long*)(f + ip->C); continue;
                case Step.I64Or: *(long*)(f + ip->A) = *(long*)(f + ip->B) | *(long*)(f + ip->C); continue;
                case Step.I64Xor: *(long*)(f + ip->A) = *(long*)(f + ip->B) ^ *(long*)(f + ip->C); continue;
                case Step.I64Shl: *(long*)(f + ip->A) = *(long*)(f + ip->B) << *(int*)(f + ip->C); continue;
                case Step.I64ShrS: *(long*)(f + ip->A) = *(long*)(f + ip->B) >> *(int*)(f + ip->C); continue;
                case Step.I64ShrU: *(long*)(f + ip->A) = *(long*)(f + ip->B) >>> *(int*)(f + ip->C); continue;
                case Step.I64Rotl: *(long*)(f + ip->A) = Numerics.I64Rotl(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64Rotr: *(long*)(f + ip->A) = Numerics.I64Rotr(*(long*)(f + ip->B), *(long*)(f + ip->C)); continue;
                case Step.I64AddImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) + ip->Immediate; continue;
                case Step.I64MulImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) * ip->Immediate; continue;
                case Step.I64AndImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) & ip->Immediate; continue;
                case Step.I64OrImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) | ip->Immediate; continue;
                case Step.I64XorImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) ^ ip->Immediate; continue;
                case Step.I64ShlImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) << (int)ip->Immediate; continue;
                case Step.I64ShrSImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) >> (int)ip->Immediate; continue;
                case Step.I64ShrUImm: *(long*)(f + ip->A) = *(long*)(f + ip->B) >>> (int)ip->Immediate; continue;
                case Step.I64RotlImm: *(long*)(f + ip->A) = Numerics.I64Rotl(*(long*)(f + ip->B), ip->Immediate); continue;
                case Step.F32Abs: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Abs(*(float*)(f + ip->B))); continue;
                case Step.F32Neg: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Neg(*(float*)(f + ip->B))); continue;
                case Step.F32Ceil: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Ceil(*(float*)(f + ip->B))); continue;
                case Step.F32Floor: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Floor(*(float*)(f + ip->B))); continue;
                case Step.F32Trunc: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Trunc(*(float*)(f + ip->B))); continue;
                case Step.F32Nearest: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Nearest(*(float*)(f + ip->B))); continue;
                case Step.F32Sqrt: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Sqrt(*(float*)(f + ip->B))); continue;
                case Step.F32Add: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Add(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Sub: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Sub(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Mul: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Mul(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Div: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Div(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Min: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Min(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Max: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Max(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32Copysign: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Copysign(*(float*)(f + ip->B), *(float*)(f + ip->C))); continue;
                case Step.F32AddImm: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Add(*(float*)(f + ip->B), *(float*)&ip->Immediate)); continue;
                case Step.F32SubImm: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Sub(*(float*)(f + ip->B), *(float*)&ip->Immediate)); continue;
                case Step.F32MulImm: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Mul(*(float*)(f + ip->B), *(float*)&ip->Immediate)); continue;
                case Step.F32DivImm: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32Div(*(float*)(f + ip->B), *(float*)&ip->Immediate)); continue;
                case Step.F64Abs: *(double*)(f + ip->A) = Numerics.F64Abs(*(double*)(f + ip->B)); continue;
                case Step.F64Neg: *(double*)(f + ip->A) = Numerics.F64Neg(*(double*)(f + ip->B)); continue;
                case Step.F64Ceil: *(double*)(f + ip->A) = Numerics.F64Ceil(*(double*)(f + ip->B)); continue;
                case Step.F64Floor: *(double*)(f + ip->A) = Numerics.F64Floor(*(double*)(f + ip->B)); continue;
                case Step.F64Trunc: *(double*)(f + ip->A) = Numerics.F64Trunc(*(double*)(f + ip->B)); continue;
                case Step.F64Nearest: *(double*)(f + ip->A) = Numerics.F64Nearest(*(double*)(f + ip->B)); continue;
                case Step.F64Sqrt: *(double*)(f + ip->A) = Numerics.F64Sqrt(*(double*)(f + ip->B)); continue;
                case Step.F64Add: *(double*)(f + ip->A) = Numerics.F64Add(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Sub: *(double*)(f + ip->A) = Numerics.F64Sub(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Mul: *(double*)(f + ip->A) = Numerics.F64Mul(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Div: *(double*)(f + ip->A) = Numerics.F64Div(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Min: *(double*)(f + ip->A) = Numerics.F64Min(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Max: *(double*)(f + ip->A) = Numerics.F64Max(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64Copysign: *(double*)(f + ip->A) = Numerics.F64Copysign(*(double*)(f + ip->B), *(double*)(f + ip->C)); continue;
                case Step.F64AddImm: *(double*)(f + ip->A) = Numerics.F64Add(*(double*)(f + ip->B), *(double*)&ip->Immediate); continue;
                case Step.F64SubImm: *(double*)(f + ip->A) = Numerics.F64Sub(*(double*)(f + ip->B), *(double*)&ip->Immediate); continue;
                case Step.F64MulImm: *(double*)(f + ip->A) = Numerics.F64Mul(*(double*)(f + ip->B), *(double*)&ip->Immediate); continue;
                case Step.F64DivImm: *(double*)(f + ip->A) = Numerics.F64Div(*(double*)(f + ip->B), *(double*)&ip->Immediate); continue;
                case Step.I32WrapI64: *(ulong*)(f + ip->A) = (uint)(Numerics.I32WrapI64(*(long*)(f + ip->B))); continue;
                case Step.I64ExtendI32S: *(long*)(f + ip->A) = Numerics.I64ExtendI32S(*(int*)(f + ip->B)); continue;
                case Step.I32Extend8S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Extend8S(*(int*)(f + ip->B))); continue;
                case Step.I32Extend16S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32Extend16S(*(int*)(f + ip->B))); continue;
                case Step.I64Extend8S: *(long*)(f + ip->A) = Numerics.I64Extend8S(*(long*)(f + ip->B)); continue;
                case Step.I64Extend16S: *(long*)(f + ip->A) = Numerics.I64Extend16S(*(long*)(f + ip->B)); continue;
                case Step.I64Extend32S: *(long*)(f + ip->A) = Numerics.I64Extend32S(*(long*)(f + ip->B)); continue;
                case Step.I32TruncF32S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncF32S(*(float*)(f + ip->B))); continue;
                case Step.I32TruncSatF32S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncSatF32S(*(float*)(f + ip->B))); continue;
                case Step.I32TruncF32U: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncF32U(*(float*)(f + ip->B))); continue;
                case Step.I32TruncSatF32U: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncSatF32U(*(float*)(f + ip->B))); continue;
                case Step.I32TruncF64S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncF64S(*(double*)(f + ip->B))); continue;
                case Step.I32TruncSatF64S: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncSatF64S(*(double*)(f + ip->B))); continue;
                case Step.I32TruncF64U: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncF64U(*(double*)(f + ip->B))); continue;
                case Step.I32TruncSatF64U: *(ulong*)(f + ip->A) = (uint)(Numerics.I32TruncSatF64U(*(double*)(f + ip->B))); continue;
                case Step.I64TruncF32S: *(long*)(f + ip->A) = Numerics.I64TruncF32S(*(float*)(f + ip->B)); continue;
                case Step.I64TruncSatF32S: *(long*)(f + ip->A) = Numerics.I64TruncSatF32S(*(float*)(f + ip->B)); continue;
                case Step.I64TruncF32U: *(long*)(f + ip->A) = Numerics.I64TruncF32U(*(float*)(f + ip->B)); continue;
                case Step.I64TruncSatF32U: *(long*)(f + ip->A) = Numerics.I64TruncSatF32U(*(float*)(f + ip->B)); continue;
                case Step.I64TruncF64S: *(long*)(f + ip->A) = Numerics.I64TruncF64S(*(double*)(f + ip->B)); continue;
                case Step.I64TruncSatF64S: *(long*)(f + ip->A) = Numerics.I64TruncSatF64S(*(double*)(f + ip->B)); continue;
                case Step.I64TruncF64U: *(long*)(f + ip->A) = Numerics.I64TruncF64U(*(double*)(f + ip->B)); continue;
                case Step.I64TruncSatF64U: *(long*)(f + ip->A) = Numerics.I64TruncSatF64U(*(double*)(f + ip->B)); continue;
                case Step.F32ConvertI32S: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32ConvertI32S(*(int*)(f + ip->B))); continue;
                case Step.F32ConvertI32U: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32ConvertI32U(*(int*)(f + ip->B))); continue;
                case Step.F32ConvertI64S: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32ConvertI64S(*(long*)(f + ip->B))); continue;
                case Step.F32ConvertI64U: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32ConvertI64U(*(long*)(f + ip->B))); continue;
                case Step.F64ConvertI32S: *(double*)(f + ip->A) = Numerics.F64ConvertI32S(*(int*)(f + ip->B)); continue;
                case Step.F64ConvertI32U: *(double*)(f + ip->A) = Numerics.F64ConvertI32U(*(int*)(f + ip->B)); continue;
                case Step.F64ConvertI64S: *(double*)(f + ip->A) = Numerics.F64ConvertI64S(*(long*)(f + ip->B)); continue;
                case Step.F64ConvertI64U: *(double*)(f + ip->A) = Numerics.F64ConvertI64U(*(long*)(f + ip->B)); continue;
                case Step.F32DemoteF64: *(ulong*)(f + ip->A) = BitConverter.SingleToUInt32Bits(Numerics.F32DemoteF64(*(double*)(f + ip->B))); continue;
                case Step.F64PromoteF32: *(double*)(f + ip->A) = Numerics.F64PromoteF32(*(float*)(f + ip->B)); continue;
                case Step.VectorLoad: at = *(uint*)(f + ip->B) + (ulong)ip->Immediate;
                    if (at + 16 > length) { goto OutOfBounds; } *(V128*)(f + ip->A) = *(V128*)(memory + at); continue;
                case Step.VectorStore: at = *(uint*)(f + ip->A) + (ulong)ip->Immediate;
                    if (at + 16 > length) { goto OutOfBounds; } *(V128*)(memory + at) = *(V128*)(f + ip->B); continue;
                case Step.VectorBinary:
                    *(V128*)(f + ip->A) = ((delegate*<V128, V128, V128>)ip->Immediate)(*(V128*)(f + ip->B), *(V128*)(f + ip->C));
                    continue;
                case Step.VectorLoadFunction64:
                case Step.VectorLoadFunction32:
                case Step.VectorLoadFunction16:
                case Step.VectorLoadFunction8:
                case Step.VectorLoadLane:
                case Step.VectorStoreLane:
                    if (!VectorMemory.Execute(ip, f, memory, length)) { goto OutOfBounds; }
                    continue;
                default:
                    Rare(instance, ip, f);
                    continue;
            }

            // A call of a function of this instance.
            record++;
            record->Frame = f = next;
            record->Return = ip;
            record->Function = callee.Function;
            stack.Top = record;
            if ((depth -= callee.Depth) < 0)
            {
                Trap.Throw(TrapKind.CallStackExhausted);
            }
            for (var zero = callee.FirstZero; zero < callee.AfterZero; zero += sizeof(ulong))
            {
                *(ulong*)(f + zero) = 0;
            }
            ip = callee.BeforeStart;
            continue;

        Jump:
            ip = (Instruction*)((byte*)ip + ip->A);
            continue;

        Stay:
            instance.Fuel -= ip->Extra;
            continue;

        Returned:
            memory = instance.MemoryBase;
            length = (ulong)instance.MemoryLength;
            if (instance.Fuel < 0 && instance.Owner.Check(instance) < 0)
            {
                return stack.Pause(ip, record);
            }
            continue;

        OutOfBounds:
            Trap.OutOfMemory();
        }
    }
}
