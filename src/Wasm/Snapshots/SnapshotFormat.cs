namespace MeshLedger.Wasm.Snapshots;

// A snapshot, all numbers little-endian (worked example: SnapshotTests.The_smallest_snapshot_is_these_bytes):
//
//     8   "MLWASMSN"
//     4   version of this format: 1
//     4   version of the fuel costs
//    32   SHA-256 of the module
//     8   fuel used so far
//     4   index of the function that was called
//     4   memories; each: 4 pages, 4 blocks of 4096 bytes that are not all zero; each: 4 index, 4096 bytes, ascending
//     4   tables; each: 4 length, 4 entries that are not null; each: 4 index, 8 reference, ascending
//     4   globals that the module defines; each: 16 value, low word first
//     4   element segments; each: 1 dropped or not.  4   data segments; each: 1
//     4   frames, innermost first; each: 4 function, 4 offset of the instruction from the body's start, 1 pause point
//         (0 entry, 1 loop, 2 awaiting a call, 3 after a call), 4 words, then the words: locals, then operands
//     4   bytes of the host's own state, then those
//    32   SHA-256 of everything before
//
// A reference to a function is its index in the module plus 1, an extern reference the host's number plus 1, null is 0. What
// the store and the host's compiler number differently on another machine is not in it, nor is anything of this machine.
internal static class SnapshotFormat
{
    public const int Version = 1;

    public const int BlockBytes = 4096;

    public const int HashBytes = 32;

    public static ReadOnlySpan<byte> Magic => "MLWASMSN"u8;

    /// <summary>A function's handle in the store as its index in the module plus 1; other references as they are.</summary>
    public static ulong Encode(Instance instance, ValueType type, ulong reference)
    {
        if (type != ValueType.FuncRef || reference == 0)
        {
            return reference;
        }
        var index = instance.IndexOf(reference);
        return index >= 0
            ? (ulong)index + 1
            : throw new InvalidOperationException("A function of another instance is referred to; its state is not in a snapshot of this one.");
    }

    public static ulong Decode(Instance instance, ValueType type, ulong reference)
    {
        if (reference == 0)
        {
            return 0;
        }
        if (type == ValueType.FuncRef)
        {
            return reference <= (ulong)instance.Module.FunctionTypes.Length
                ? instance.HandleOf((int)reference - 1)
                : throw new FormatException($"The snapshot refers to function {reference - 1}, which the module does not have.");
        }
        return type != ValueType.ExternRef || reference <= uint.MaxValue + 1UL
            ? reference
            : throw new FormatException($"The snapshot has an extern reference of {reference}, which no host gives.");
    }
}
