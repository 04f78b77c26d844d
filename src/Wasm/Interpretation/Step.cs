namespace MeshLedger.Wasm.Interpretation;

/// <summary>
/// What the interpreter's loop does at one instruction of the lowered form. Where nothing else is said, A is the result's place
/// in the frame in bytes, B and C are the operands' places.
/// </summary>
internal enum Step : ushort
{
    // Jumps. A is how many bytes further the next instruction stands, less one instruction.
    Br, BrIf, BrIfZero, BrTable,
    BrIfI32Eq, BrIfI32Ne, BrIfI32LtS, BrIfI32LtU, BrIfI32GtS, BrIfI32GtU, BrIfI32LeS, BrIfI32LeU, BrIfI32GeS,
    BrIfI32GeU,
    BrIfI32EqImm, BrIfI32NeImm, BrIfI32LtSImm, BrIfI32LtUImm, BrIfI32GtSImm, BrIfI32GtUImm, BrIfI32LeSImm,
    BrIfI32LeUImm, BrIfI32GeSImm, BrIfI32GeUImm,
    BrIfI64Eq, BrIfI64Ne, BrIfI64LtS, BrIfI64LtU, BrIfI64GtS, BrIfI64GtU, BrIfI64LeS, BrIfI64LeU, BrIfI64GeS,
    BrIfI64GeU,
    BrIfI64EqImm, BrIfI64NeImm, BrIfI64LtSImm, BrIfI64LtUImm, BrIfI64GtSImm, BrIfI64GtUImm, BrIfI64LeSImm,
    BrIfI64LeUImm, BrIfI64GeSImm, BrIfI64GeUImm,

    // Calls and metering.
    Call, CallImport, CallIndirect, Return, ReturnValue, Unreachable, Charge, ChargeCheck,

    // Moves. 32 bits are extended with zeros.
    Copy, Copy32, CopyWide, Constant, ConstantWide, Select, SelectWide, GlobalGet, GlobalGet32, GlobalGetWide,
    GlobalSet, GlobalSetWide,

    // Memory. Indexed: the address is the sum of B and C.
    Load8U, Load16U, Load32, Load64, Load8UIndexed, Load16UIndexed, Load32Indexed, Load64Indexed, I32Load8S,
    I32Load16S, I64Load8S, I64Load16S, I64Load32S, Store8, Store16, Store32, Store64,

    // Memory, tables and references out of line.
    MemorySize, MemoryGrow, MemoryInit, DataDrop, MemoryCopy, MemoryFill, TableGet, TableSet, TableSize, TableGrow,
    TableInit, ElemDrop, TableCopy, TableFill, RefIsNull, RefFunc,

    // Numbers, by the names of their opcodes; Imm: the right operand is the immediate.
    I32Eqz, I32Eq, I32Ne, I32LtS, I32LtU, I32GtS, I32GtU, I32LeS, I32LeU, I32GeS, I32GeU, I64Eqz, I64Eq, I64Ne,
    I64LtS, I64LtU, I64GtS, I64GtU, I64LeS, I64LeU, I64GeS, I64GeU, I32EqImm, I32NeImm, I32LtSImm, I32LtUImm,
    I32GtSImm, I32GtUImm, I32LeSImm, I32LeUImm, I32GeSImm, I32GeUImm, I64EqImm, I64NeImm, I64LtSImm, I64LtUImm,
    I64GtSImm, I64GtUImm, I64LeSImm, I64LeUImm, I64GeSImm, I64GeUImm,
    F32Eq, F32Ne, F32Lt, F32Gt, F32Le, F32Ge,
    F64Eq, F64Ne, F64Lt, F64Gt, F64Le, F64Ge,
    I32Clz, I32Ctz, I32Popcnt,
    I32Add, I32Sub, I32Mul, I32DivS, I32DivU, I32RemS, I32RemU, I32And, I32Or, I32Xor, I32Shl, I32ShrS, I32ShrU,
    I32Rotl, I32Rotr,
    I32AddImm, I32MulImm, I32AndImm, I32OrImm, I32XorImm, I32ShlImm, I32ShrSImm, I32ShrUImm, I32RotlImm,
    I64Clz, I64Ctz, I64Popcnt,
    I64Add, I64Sub, I64Mul, I64DivS, I64DivU, I64RemS, I64RemU, I64And, I64Or, I64Xor, I64Shl, I64ShrS, I64ShrU,
    I64Rotl, I64Rotr,
    I64AddImm, I64MulImm, I64AndImm, I64OrImm, I64XorImm, I64ShlImm, I64ShrSImm, I64ShrUImm, I64RotlImm,
    F32Abs, F32Neg, F32Ceil, F32Floor, F32Trunc, F32Nearest, F32Sqrt,
    F32Add, F32Sub, F32Mul, F32Div, F32Min, F32Max, F32Copysign,
    F32AddImm, F32SubImm, F32MulImm, F32DivImm,
    F64Abs, F64Neg, F64Ceil, F64Floor, F64Trunc, F64Nearest, F64Sqrt,
    F64Add, F64Sub, F64Mul, F64Div, F64Min, F64Max, F64Copysign,
    F64AddImm, F64SubImm, F64MulImm, F64DivImm,
    I32WrapI64, I64ExtendI32S, I32Extend8S, I32Extend16S, I64Extend8S, I64Extend16S, I64Extend32S, I32TruncF32S,
    I32TruncSatF32S, I32TruncF32U, I32TruncSatF32U, I32TruncF64S, I32TruncSatF64S, I32TruncF64U, I32TruncSatF64U,
    I64TruncF32S, I64TruncSatF32S, I64TruncF32U, I64TruncSatF32U, I64TruncF64S, I64TruncSatF64S, I64TruncF64U,
    I64TruncSatF64U, F32ConvertI32S, F32ConvertI32U, F32ConvertI64S, F32ConvertI64U, F64ConvertI32S, F64ConvertI32U,
    F64ConvertI64S, F64ConvertI64U, F32DemoteF64, F64PromoteF32,

    // v128, by shape: Immediate is the address of the function, where C is not its number.
    VectorLoad, VectorStore, VectorLoadFunction64, VectorLoadFunction32, VectorLoadFunction16, VectorLoadFunction8,
    VectorLoadLane, VectorStoreLane, VectorUnary, VectorBinary, VectorTernary, VectorShift, VectorTest, VectorShuffle,
    VectorSplat, VectorSplat64, ExtractLane8S, ExtractLane8U, ExtractLane16S, ExtractLane16U, ReplaceLane8,
    ReplaceLane16, ReplaceLane32, ReplaceLane64,
}
