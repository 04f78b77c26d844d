using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Snapshots;

/// <summary>
/// Restores a snapshot into an instance that was prepared and not initialised. A snapshot comes from a stranger: every number is
/// checked against the module and the limits before it is used, so the worst that a forged one can do is to be another state
/// of the same guest.
/// </summary>
internal static unsafe class SnapshotReader
{
    public static (int Function, long Fuel, SavedFrame[] Frames, byte[] HostState) Read(Stream from, Instance instance)
    {
        using var reader = new HashedReader(from);
        Span<byte> head = stackalloc byte[SnapshotFormat.Magic.Length];
        reader.Bytes(head);
        if (!head.SequenceEqual(SnapshotFormat.Magic))
        {
            throw new FormatException("These bytes are no snapshot: it begins with MLWASMSN.");
        }
        Expect(reader.U32(), SnapshotFormat.Version, "format");
        Expect(reader.U32(), FuelCosts.Version, "fuel costs");
        Span<byte> hash = stackalloc byte[SnapshotFormat.HashBytes];
        reader.Bytes(hash);
        if (!hash.SequenceEqual(instance.Module.Hash.Span))
        {
            throw new FormatException("The snapshot is of another module.");
        }
        var fuel = reader.U64();
        if (fuel > long.MaxValue)
        {
            throw new FormatException("The snapshot's fuel is no such number.");
        }
        if ((long)fuel > instance.Owner.FuelLimit)
        {
            throw new FormatException($"The snapshot has used {fuel} units of fuel; {instance.Owner.FuelLimit} are allowed.");
        }
        var function = reader.Count(instance.Module.FunctionTypes.Length - 1, "as the called function's index");
        Memories(reader, instance);
        Tables(reader, instance);
        Globals(reader, instance);
        Dropped(reader, instance.DroppedElements, "element segments");
        Dropped(reader, instance.DroppedData, "data segments");
        var frames = Frames(reader, instance);
        if (frames.Length == 0 || frames[^1].Function != function)
        {
            throw new FormatException("The snapshot's outermost frame is not of the function that was called.");
        }
        var hostState = reader.Block(reader.Count(int.MaxValue, "bytes of the host's state"));
        reader.Finish();
        return (function, (long)fuel, frames, hostState);
    }

    private static void Expect(uint found, int known, string what)
    {
        if (found != known)
        {
            throw new FormatException($"The snapshot's version of the {what} is {found}; this program knows {known}.");
        }
    }

    private static void Memories(HashedReader reader, Instance instance)
    {
        reader.Exactly(instance.Memories.Length, "memories");
        foreach (var memory in instance.Memories)
        {
            var pages = reader.Count(memory.MaximumPages, "pages of memory");
            if (pages < memory.Pages)
            {
                throw new FormatException($"The snapshot has {pages} pages of memory, the module begins with {memory.Pages}.");
            }
            memory.Resize(pages);
            var blocks = (int)(memory.Length / SnapshotFormat.BlockBytes);
            var last = -1;
            for (var left = reader.Count(blocks, "blocks of memory"); left > 0; left--)
            {
                last = Ascending(reader, last, blocks);
                reader.Bytes(new Span<byte>(memory.Base + ((long)last * SnapshotFormat.BlockBytes), SnapshotFormat.BlockBytes));
            }
        }
    }

    private static int Ascending(HashedReader reader, int last, int end)
    {
        var index = reader.Count(end - 1, "as an index");
        return index > last ? index : throw new FormatException($"The snapshot's index {index} follows {last}.");
    }

    private static void Tables(HashedReader reader, Instance instance)
    {
        reader.Exactly(instance.Tables.Length, "tables");
        foreach (var table in instance.Tables)
        {
            var length = reader.Count(table.Count + table.MostMore, "entries of a table");
            var used = reader.Count(length, "entries of a table that are not null");
            if (length < table.Count)
            {
                throw new FormatException($"The snapshot has a table of {length}, the module begins with {table.Count}.");
            }
            table.Resize(length);
            var last = -1;
            for (; used > 0; used--)
            {
                last = Ascending(reader, last, length);
                table.Elements[last] = SnapshotFormat.Decode(instance, table.Type, reader.U64());
            }
        }
    }

    private static void Globals(HashedReader reader, Instance instance)
    {
        var own = instance.Globals.AsSpan(instance.Module.ImportedGlobals);
        reader.Exactly(own.Length, "globals");
        foreach (var global in own)
        {
            var (low, high) = (reader.U64(), reader.U64());
            if (global.Mutable)
            {
                global.Cell[0] = SnapshotFormat.Decode(instance, global.Type, low);
                global.Cell[1] = high;
            }
            else if (SnapshotFormat.Decode(instance, global.Type, low) != global.Cell[0] || (global.Type == ValueType.V128 && high != global.Cell[1]))
            {
                throw new FormatException("The snapshot changes a global that cannot change.");
            }
        }
    }

    private static void Dropped(HashedReader reader, bool[] dropped, string what)
    {
        reader.Exactly(dropped.Length, what);
        for (var i = 0; i < dropped.Length; i++)
        {
            var value = reader.Byte();
            dropped[i] = value <= 1 ? value == 1 : throw new FormatException($"The snapshot's {what} are marked by {value}.");
        }
    }

    private static SavedFrame[] Frames(HashedReader reader, Instance instance)
    {
        var depth = instance.Owner.Limits.CallDepth;
        var count = reader.Count(depth, "frames");
        var frames = new List<SavedFrame>();
        var known = new FrameTypes(instance.Module);
        for (var i = 0; i < count; i++)
        {
            frames.Add(Frame(reader, instance, known, i));
            depth -= known.CodeOf(frames[i].Function).Depth;
            if (depth < 0)
            {
                throw new FormatException($"The snapshot's frames are deeper than {instance.Owner.Limits.CallDepth}.");
            }
            if (i > 0)
            {
                Calls(instance.Module, known.CodeOf(frames[i].Function), frames[i], frames[i - 1].Function, i);
            }
        }
        return [.. frames];
    }

    private static SavedFrame Frame(HashedReader reader, Instance instance, FrameTypes known, int index)
    {
        var module = instance.Module;
        var function = reader.Count(module.FunctionTypes.Length - 1, "as a frame's function");
        if (function < module.ImportedFunctions)
        {
            throw new FormatException($"Frame {index}: function {function} is the host's.");
        }
        var offset = reader.Count(int.MaxValue, "as an offset");
        var point = (PausePoint)reader.Byte();
        var types = point <= PausePoint.AfterCall ? known.At(function, offset, point) : null;
        if (types is null || (index > 0) != (point == PausePoint.AwaitingCall))
        {
            throw new FormatException($"Frame {index}: function {function} does not stand still at {offset} ({point}).");
        }
        reader.Exactly(((ReadOnlySpan<ValueType>)types).Words(), $"words in frame {index}");
        var words = new ulong[((ReadOnlySpan<ValueType>)types).Words()];
        var at = 0;
        foreach (var type in types)
        {
            var word = reader.U64();
            words[at++] = type is ValueType.I32 or ValueType.F32
                ? word <= uint.MaxValue ? word : throw new FormatException($"Frame {index}: a word is no {type.Name()}.")
                : SnapshotFormat.Decode(instance, type, word);
            if (type == ValueType.V128)
            {
                words[at++] = reader.U64();
            }
        }
        return new SavedFrame(function, offset, point, words);
    }

    // A frame awaits the call of the one within it: of that very function, or through a table of one of its type.
    private static void Calls(Module module, FunctionCode code, SavedFrame frame, int callee, int index)
    {
        ref readonly var call = ref code.Ops[FrameImages.OpAt(code, frame.Offset, frame.Point)];
        var fits = call.Code == Opcode.Call ? call.A == callee : module.Types[call.A].Equals(module.FunctionTypeOf(callee));
        if (!fits)
        {
            throw new FormatException($"Frame {index}: what it calls at {frame.Offset} is not function {callee}.");
        }
    }
}
