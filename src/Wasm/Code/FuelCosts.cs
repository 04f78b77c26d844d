namespace MeshLedger.Wasm.Code;

/// <summary>
/// What instructions cost in fuel. The table is part of a receipt's meaning: it changes only with
/// <see cref="Version"/>. The README of this room shows it.
/// </summary>
internal static class FuelCosts
{
    /// <summary>Written into snapshots and receipts.</summary>
    public const int Version = 1;

    /// <summary>Bulk instructions cost one more for each such many bytes, begun ones included.</summary>
    public const int BulkBytes = 64;

    /// <summary>Bulk instructions on tables cost one more for each such many entries, begun ones included.</summary>
    public const int BulkEntries = 8;

    /// <summary>A page of memory that is grown.</summary>
    public const int GrownPage = 64;

    public static int Of(Opcode code) => code switch
    {
        Opcode.Nop or Opcode.Block or Opcode.Loop or Opcode.Else or Opcode.End or Opcode.Charge => 0,
        Opcode.Call => 4,
        Opcode.CallIndirect => 6,
        Opcode.BrTable => 2,
        Opcode.I32DivS or Opcode.I32DivU or Opcode.I32RemS or Opcode.I32RemU
            or Opcode.I64DivS or Opcode.I64DivU or Opcode.I64RemS or Opcode.I64RemU => 4,
        Opcode.F32Div or Opcode.F32Sqrt or Opcode.F64Div or Opcode.F64Sqrt
            or Opcode.F32x4Div or Opcode.F32x4Sqrt or Opcode.F64x2Div or Opcode.F64x2Sqrt => 4,
        Opcode.MemoryGrow or Opcode.TableGrow => 32,
        Opcode.MemoryInit or Opcode.MemoryCopy or Opcode.MemoryFill
            or Opcode.TableInit or Opcode.TableCopy or Opcode.TableFill => 8,
        _ => 1,
    };

    public static long OfBytes(ulong bytes) => (long)((bytes + BulkBytes - 1) / BulkBytes);

    public static long OfEntries(ulong entries) => (long)((entries + BulkEntries - 1) / BulkEntries);
}
