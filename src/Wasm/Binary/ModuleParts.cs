namespace MeshLedger.Wasm.Binary;

/// <summary>What an import or export is of (section 5.5.5).</summary>
internal enum ExternKind : byte
{
    Function,
    Table,
    Memory,
    Global,
}

internal readonly record struct LimitsType(uint Minimum, uint? Maximum);

internal readonly record struct TableType(ValueType Type, LimitsType Limits);

internal readonly record struct GlobalType(ValueType Type, bool Mutable);

/// <summary>An import: which member of the module's description holds its type follows from the kind.</summary>
internal sealed record ModuleImport(
    string Module, string Name, ExternKind Kind, int TypeIndex, TableType Table, LimitsType Memory, GlobalType Global, int Offset);

internal sealed record ModuleExport(string Name, ExternKind Kind, int Index, int Offset);

/// <summary>A constant expression: one instruction and its end (section 3.3.10). Checked by the validator when it is read.</summary>
/// <param name="Function">The function of ref.func, or -1.</param>
/// <param name="Global">The global of global.get, or -1.</param>
internal readonly record struct ConstantExpression(ValueType Type, ulong Low, ulong High, int Function, int Global, int Offset);

internal sealed record ModuleGlobal(GlobalType Type, ConstantExpression Initial);

internal enum SegmentMode : byte
{
    Active,
    Passive,
    Declarative,
}

/// <summary>An element segment. Its entries are constant expressions of its type.</summary>
internal sealed record ElementSegment(
    SegmentMode Mode, ValueType Type, int Table, ConstantExpression Start, ConstantExpression[] Entries, int Offset);

/// <summary>A data segment; its bytes stay in the module.</summary>
internal sealed record DataSegment(SegmentMode Mode, int Memory, ConstantExpression Start, int From, int Length, int Offset);

/// <summary>Where a function's body stands in the module: the locals' declarations and the code, without its size.</summary>
internal readonly record struct BodyRange(int Start, int End);
