using System.Buffers.Binary;

namespace MeshLedger.Machines;

/// <summary>Looks at a program before a machine is started for it.</summary>
internal static class ElfProgram
{
    private const int HeaderBytes = 64;
    private const int SegmentBytes = 56;
    private const uint Loadable = 1;
    private const uint Interpreter = 3;

    /// <summary>Null if this is a static x86-64 ELF program as far as its headers say; else what it is instead.
    /// </summary>
    public static string? Refuse(ReadOnlySpan<byte> program)
    {
        if (program.Length < HeaderBytes || !program.StartsWith("\x7f"u8) || !program[1..].StartsWith("ELF"u8))
        {
            return "it is no ELF file";
        }

        if (program[4] != 2 || program[5] != 1 || Half(program, 18) != 62)
        {
            return "it is an ELF file for another processor than x86-64";
        }

        if (Half(program, 16) is not (2 or 3))
        {
            return "it is an ELF file but no program: it was not linked";
        }

        var table = BinaryPrimitives.ReadUInt64LittleEndian(program[32..]);
        var count = Half(program, 56);
        if (Half(program, 54) != SegmentBytes || table > (ulong)program.Length
            || (ulong)program.Length - table < (ulong)(count * SegmentBytes))
        {
            return "its ELF headers are damaged";
        }

        var loadable = false;
        for (var i = 0; i < count; i++)
        {
            var kind = BinaryPrimitives.ReadUInt32LittleEndian(program[((int)table + (i * SegmentBytes))..]);
            if (kind == Interpreter)
            {
                return "it is not static: it names an interpreter (link it with -static)";
            }

            loadable |= kind == Loadable;
        }

        return loadable ? null : "it has nothing to load";
    }

    private static ushort Half(ReadOnlySpan<byte> program, int at) =>
        BinaryPrimitives.ReadUInt16LittleEndian(program[at..]);
}
