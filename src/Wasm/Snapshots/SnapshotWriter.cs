using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Snapshots;

/// <summary>Writes a paused instance down; the format is in SnapshotFormat.cs.</summary>
internal static unsafe class SnapshotWriter
{
    public static void Write(
        Stream to, Instance instance, int function, long fuel, IReadOnlyList<SavedFrame> frames, ReadOnlySpan<byte> hostState)
    {
        var module = instance.Module;
        if (module.ImportedMemories + module.ImportedTables > 0 || module.GlobalTypes.Take(module.ImportedGlobals).Any(global => global.Mutable))
        {
            throw new InvalidOperationException("The instance imports a memory, a table or a mutable global, whose state is another's.");
        }
        using var writer = new HashedWriter(to);
        writer.Bytes(SnapshotFormat.Magic);
        writer.U32(SnapshotFormat.Version);
        writer.U32(FuelCosts.Version);
        writer.Bytes(module.Hash.Span);
        writer.U64((ulong)fuel);
        writer.U32(function);
        Memories(writer, instance);
        Tables(writer, instance);
        Globals(writer, instance);
        Dropped(writer, instance.DroppedElements);
        Dropped(writer, instance.DroppedData);
        writer.U32(frames.Count);
        var types = new FrameTypes(module);
        foreach (var frame in frames)
        {
            Frame(writer, instance, frame, types);
        }
        writer.U32(hostState.Length);
        writer.Bytes(hostState);
        writer.Finish();
    }

    /// <summary>
    /// The state of an instance as bytes that depend on nothing else: memories (4 their number; each 8 length, its bytes), tables
    /// (4; each 4 length, 8 an entry), globals (4; each 16), imported ones included, references as in snapshots.
    /// </summary>
    public static void WriteState(Stream to, Instance instance)
    {
        using var writer = new HashedWriter(to);
        writer.U32(instance.Memories.Length);
        foreach (var memory in instance.Memories)
        {
            writer.U64((ulong)memory.Length);
            for (var at = 0L; at < memory.Length; at += Memory.PageSize)
            {
                writer.Bytes(new ReadOnlySpan<byte>(memory.Base + at, Memory.PageSize));
            }
        }
        writer.U32(instance.Tables.Length);
        foreach (var table in instance.Tables)
        {
            writer.U32(table.Count);
            for (var i = 0; i < table.Count; i++)
            {
                writer.U64(SnapshotFormat.Encode(instance, table.Type, table.Elements[i]));
            }
        }
        writer.U32(instance.Globals.Length);
        foreach (var global in instance.Globals)
        {
            Value(writer, instance, global);
        }
        writer.Flush();
    }

    private static void Memories(HashedWriter writer, Instance instance)
    {
        writer.U32(instance.Memories.Length);
        foreach (var memory in instance.Memories)
        {
            writer.U32(memory.Pages);
            var blocks = (int)(memory.Length / SnapshotFormat.BlockBytes);
            var used = new List<int>();
            for (var i = 0; i < blocks; i++)
            {
                if (Block(memory, i).ContainsAnyExcept((byte)0))
                {
                    used.Add(i);
                }
            }
            writer.U32(used.Count);
            foreach (var i in used)
            {
                writer.U32(i);
                writer.Bytes(Block(memory, i));
            }
        }
    }

    private static ReadOnlySpan<byte> Block(Memory memory, int index) =>
        new(memory.Base + ((long)index * SnapshotFormat.BlockBytes), SnapshotFormat.BlockBytes);

    private static void Tables(HashedWriter writer, Instance instance)
    {
        writer.U32(instance.Tables.Length);
        foreach (var table in instance.Tables)
        {
            var used = 0;
            for (var i = 0; i < table.Count; i++)
            {
                used += table.Elements[i] != 0 ? 1 : 0;
            }
            writer.U32(table.Count);
            writer.U32(used);
            for (var i = 0; i < table.Count; i++)
            {
                if (table.Elements[i] != 0)
                {
                    writer.U32(i);
                    writer.U64(SnapshotFormat.Encode(instance, table.Type, table.Elements[i]));
                }
            }
        }
    }

    private static void Globals(HashedWriter writer, Instance instance)
    {
        var own = instance.Globals.AsSpan(instance.Module.ImportedGlobals);
        writer.U32(own.Length);
        foreach (var global in own)
        {
            Value(writer, instance, global);
        }
    }

    private static void Value(HashedWriter writer, Instance instance, Global global)
    {
        var low = global.Type is ValueType.I32 or ValueType.F32 ? (uint)global.Cell[0] : global.Cell[0];
        writer.U64(SnapshotFormat.Encode(instance, global.Type, low));
        writer.U64(global.Type == ValueType.V128 ? global.Cell[1] : 0);
    }

    private static void Dropped(HashedWriter writer, bool[] dropped)
    {
        writer.U32(dropped.Length);
        foreach (var one in dropped)
        {
            writer.Byte(one ? (byte)1 : (byte)0);
        }
    }

    private static void Frame(HashedWriter writer, Instance instance, SavedFrame frame, FrameTypes types)
    {
        writer.U32(frame.Function);
        writer.U32(frame.Offset);
        writer.Byte((byte)frame.Point);
        writer.U32(frame.Words.Length);
        var at = 0;
        foreach (var type in types.At(frame.Function, frame.Offset, frame.Point)!)
        {
            writer.U64(type is ValueType.I32 or ValueType.F32 ? (uint)frame.Words[at] : SnapshotFormat.Encode(instance, type, frame.Words[at]));
            at++;
            if (type == ValueType.V128)
            {
                writer.U64(frame.Words[at++]);
            }
        }
    }
}
