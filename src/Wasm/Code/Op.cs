namespace MeshLedger.Wasm.Code;

/// <summary>
/// An instruction of a validated function body, with what both tiers need to know and validation found out. Instructions that
/// cannot be reached are left out; <see cref="Opcode.Charge"/> stands at the start of every metering block.
/// </summary>
/// <remarks>
/// What A, B and Immediate hold, by instruction:
/// <list type="bullet">
/// <item>Charge: Immediate is the fuel of the block; A is 1 where fuel is checked after the charge (function entry, loop).
/// The Charge of a loop follows its Loop op; that of the function is op 0.</item>
/// <item>Block, Loop, If: A is the index of the matching End op, B that of the Else op (If only, -1 without), Immediate the
/// index into <see cref="FunctionCode.BlockTypes"/>.</item>
/// <item>Else: A is the index of the End, B is 1 where the then-branch can fall through to here.</item>
/// <item>End: A is the index of the opening op (-1 for the function's), B is 1 where what is before it can fall through.</item>
/// <item>Br, BrIf: A is the relative depth of the label. BrTable: A is the index into <see cref="FunctionCode.BranchTables"/>
/// (relative depths, the default last).</item>
/// <item>Call, RefFunc: A is the function's index. CallIndirect: A is the type's index, B the table's.</item>
/// <item>LocalGet, LocalSet, LocalTee, GlobalGet, GlobalSet, TableGet, TableSet, TableGrow, TableSize, TableFill: A is the
/// index. TableCopy: A is the destination, B the source. TableInit: A is the segment, B the table. ElemDrop, DataDrop,
/// MemoryInit: A is the segment.</item>
/// <item>Loads and stores: Immediate is the offset; A is the lane of the lane instructions.</item>
/// <item>Constants: Immediate is the bits; V128Const and I8x16Shuffle: Immediate is the low half, A the index of the high
/// half in <see cref="FunctionCode.HighHalves"/>. ExtractLane, ReplaceLane: A is the lane.</item>
/// </list>
/// </remarks>
internal struct Op
{
    public Opcode Code;

    /// <summary>Type of the operand of Drop, Select, LocalGet/Set/Tee, GlobalGet/Set, TableGet/Set, RefNull, RefIsNull; else 0.</summary>
    public ValueType Type;

    /// <summary>Byte offset of the instruction from the start of the function's body (the locals' declarations included).</summary>
    public int Offset;

    /// <summary>64-bit words of operands on the stack before the instruction (v128 is two). At Else and End: after it.</summary>
    public int Height;

    public int A;

    public int B;

    public ulong Immediate;
}

/// <summary>A validated function, ready for either tier.</summary>
internal sealed class FunctionCode
{
    public required int Index { get; init; }

    public required FunctionType Type { get; init; }

    /// <summary>Parameters and locals, in order of their indices.</summary>
    public required ValueType[] Locals { get; init; }

    public required Op[] Ops { get; init; }

    public required FunctionType[] BlockTypes { get; init; }

    public required int[][] BranchTables { get; init; }

    public required ulong[] HighHalves { get; init; }

    /// <summary>Words that all parameters and locals take. The frame is these words, then the operands.</summary>
    public required int LocalWords { get; init; }

    /// <summary>The most words that the operands ever take.</summary>
    public required int OperandWords { get; init; }

    /// <summary>What a frame of this function takes of <see cref="RunLimits.CallDepth"/>.</summary>
    public int Depth => DepthOf(LocalWords + OperandWords);

    public static int DepthOf(int words) => 1 + (words / 32);
}
