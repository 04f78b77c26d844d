namespace MeshLedger.Wasm.Binary;

/// <summary>
/// The binary format (section 5.5), sections in order. Bodies of functions are only delimited here; the validator reads them.
/// Reasons are those of the specification's test suite.
/// </summary>
internal static partial class ModuleDecoder
{
    private const string SizeMismatch = "section size mismatch";

    // Where each section stands in the order of the format: data count comes before code.
    private static ReadOnlySpan<byte> Order => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10];

    public static Module Decode(ReadOnlyMemory<byte> bytes, ModuleLimits limits)
    {
        if (bytes.Length > limits.ModuleBytes)
        {
            throw new ModuleLimitException($"The module has {bytes.Length} bytes; {limits.ModuleBytes} are allowed.");
        }
        var module = new Module(bytes, limits);
        var span = bytes.Span;
        Header(span);
        var reader = new ByteReader(span, 8, span.Length) { EndReason = "unexpected end" };
        var last = 0;
        var codes = 0;
        var defined = Array.Empty<int>();
        while (!reader.AtEnd)
        {
            var at = reader.Position;
            var id = reader.Byte();
            if (id > 12)
            {
                throw new MalformedModuleException("malformed section id", at, $"{id}");
            }
            var size = reader.U32();
            if (size > (uint)(span.Length - reader.Position))
            {
                throw reader.Malformed("length out of bounds", $"section {id} announces {size} bytes, {span.Length - reader.Position} left");
            }
            var end = reader.Position + (int)size;
            // A section's vectors may run over its end, and are then told what is wrong with the bytes there, or that the sizes differ.
            var section = new ByteReader(span, reader.Position, id == 0 ? end : span.Length);
            if (id == 0)
            {
                Custom(module, ref section, end);
            }
            else
            {
                if (Order[id] <= last)
                {
                    throw new MalformedModuleException("unexpected content after last section", at, $"section {id}");
                }
                last = Order[id];
                Section(module, id, ref section, ref defined, ref codes);
                if (section.Position != end)
                {
                    throw section.Malformed(SizeMismatch, $"section {id} ends at {end}");
                }
            }
            reader.Skip((int)size);
        }
        if (defined.Length != codes)
        {
            throw reader.Malformed("function and code section have inconsistent lengths", $"{defined.Length} and {codes}");
        }
        if (module.DataCount is { } count && count != module.Data.Length)
        {
            throw reader.Malformed("data count and data section have inconsistent lengths", $"{count} and {module.Data.Length}");
        }
        Spaces(module, defined);
        return module;
    }

    private static void Header(ReadOnlySpan<byte> span)
    {
        ReadOnlySpan<byte> magic = [0, 0x61, 0x73, 0x6D];
        ReadOnlySpan<byte> version = [1, 0, 0, 0];
        if (span.Length < 4)
        {
            throw new MalformedModuleException("unexpected end", span.Length);
        }
        if (!span.StartsWith(magic))
        {
            throw new MalformedModuleException("magic header not detected", 0);
        }
        if (span.Length < 8)
        {
            throw new MalformedModuleException("unexpected end", span.Length);
        }
        if (!span[4..].StartsWith(version))
        {
            throw new MalformedModuleException("unknown binary version", 4);
        }
    }

    private static void Custom(Module module, ref ByteReader section, int end)
    {
        var name = section.Name();
        if (module.CustomSections.Count < module.Limits.Segments)
        {
            module.CustomSections.Add((name, section.Position, end - section.Position));
        }
    }

    private static void Section(Module module, byte id, ref ByteReader section, ref int[] defined, ref int codes)
    {
        var limits = module.Limits;
        switch (id)
        {
            case 1:
                module.Types = new FunctionType[section.Count(limits.Types, "types")];
                for (var i = 0; i < module.Types.Length; i++)
                {
                    module.Types[i] = ReadFunctionType(ref section, limits);
                }
                break;
            case 2:
                module.Imports = new ModuleImport[section.Count(limits.Imports, "imports")];
                for (var i = 0; i < module.Imports.Length; i++)
                {
                    module.Imports[i] = ReadImport(ref section);
                }
                break;
            case 3:
                defined = new int[section.Count(limits.Functions, "functions")];
                for (var i = 0; i < defined.Length; i++)
                {
                    defined[i] = Index(section.U32());
                }
                break;
            case 4:
                module.Tables = new TableType[section.Count(limits.Segments, "tables")];
                for (var i = 0; i < module.Tables.Length; i++)
                {
                    module.Tables[i] = ReadTable(ref section);
                }
                break;
            case 5:
                module.Memories = new LimitsType[section.Count(limits.Segments, "memories")];
                for (var i = 0; i < module.Memories.Length; i++)
                {
                    module.Memories[i] = ReadLimits(ref section);
                }
                break;
            case 6:
                module.Globals = new ModuleGlobal[section.Count(limits.Globals, "globals")];
                for (var i = 0; i < module.Globals.Length; i++)
                {
                    module.Globals[i] = new ModuleGlobal(ReadGlobal(ref section), ReadConstant(ref section));
                }
                break;
            case 7:
                module.Exports = new ModuleExport[section.Count(limits.Exports, "exports")];
                for (var i = 0; i < module.Exports.Length; i++)
                {
                    module.Exports[i] = ReadExport(ref section);
                }
                break;
            case 8:
                module.StartOffset = section.Position;
                module.StartFunction = Index(section.U32());
                break;
            case 9:
                ReadElements(module, ref section);
                break;
            case 10:
                codes = ReadBodies(module, ref section);
                break;
            case 11:
                ReadData(module, ref section);
                break;
            default:
                module.DataCount = section.U32();
                break;
        }
    }

    /// <summary>An index that no list can reach stays one that no list can reach.</summary>
    private static int Index(uint index) => index > int.MaxValue ? int.MaxValue : (int)index;

    private static FunctionType ReadFunctionType(ref ByteReader section, ModuleLimits limits)
    {
        // The form is a signed number in the grammar of types, so an overlong one is an overlong integer.
        var form = section.Peek();
        if (form != 0x60)
        {
            throw form >= 0x80 ? section.Malformed("integer representation too long") : section.Malformed("malformed functype", $"0x{form:x2}");
        }
        section.Skip(1);
        return new FunctionType(ReadTypes(ref section, limits), ReadTypes(ref section, limits));
    }

    private static System.Collections.Immutable.ImmutableArray<ValueType> ReadTypes(ref ByteReader section, ModuleLimits limits)
    {
        var types = new ValueType[section.Count(limits.Arity, "parameters or results")];
        for (var i = 0; i < types.Length; i++)
        {
            types[i] = section.ValueType();
        }
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(types);
    }

    private static ModuleImport ReadImport(ref ByteReader section)
    {
        var at = section.Position;
        var (from, name) = (section.Name(), section.Name());
        var kind = section.Byte();
        return kind switch
        {
            0 => new ModuleImport(from, name, ExternKind.Function, Index(section.U32()), default, default, default, at),
            1 => new ModuleImport(from, name, ExternKind.Table, 0, ReadTable(ref section), default, default, at),
            2 => new ModuleImport(from, name, ExternKind.Memory, 0, default, ReadLimits(ref section), default, at),
            3 => new ModuleImport(from, name, ExternKind.Global, 0, default, default, ReadGlobal(ref section), at),
            _ => throw section.Malformed("malformed import kind", $"{kind}"),
        };
    }

    private static TableType ReadTable(ref ByteReader section) => new(section.ReferenceType(), ReadLimits(ref section));

    private static LimitsType ReadLimits(ref ByteReader section)
    {
        // A flag is one bit, written as a number of one bit (section 5.3.7).
        var flags = section.Byte();
        if (flags > 1)
        {
            throw section.Malformed(flags >= 0x80 ? "integer representation too long" : "integer too large", $"limits' flags 0x{flags:x2}");
        }
        var minimum = section.U32();
        return new LimitsType(minimum, flags == 1 ? section.U32() : null);
    }

    private static GlobalType ReadGlobal(ref ByteReader section)
    {
        var type = section.ValueType();
        var mutable = section.Byte();
        return mutable <= 1 ? new GlobalType(type, mutable == 1) : throw section.Malformed("malformed mutability", $"{mutable}");
    }

    private static ModuleExport ReadExport(ref ByteReader section)
    {
        var at = section.Position;
        var name = section.Name();
        var kind = section.Byte();
        return kind <= 3
            ? new ModuleExport(name, (ExternKind)kind, Index(section.U32()), at)
            : throw section.Malformed("malformed export kind", $"{kind}");
    }

    private static void Spaces(Module module, int[] defined)
    {
        var imports = module.Imports;
        module.FunctionTypes = [.. imports.Where(i => i.Kind == ExternKind.Function).Select(i => i.TypeIndex), .. defined];
        module.ImportedFunctions = module.FunctionTypes.Length - defined.Length;
        module.ImportedTables = imports.Count(i => i.Kind == ExternKind.Table);
        module.ImportedMemories = imports.Count(i => i.Kind == ExternKind.Memory);
        module.ImportedGlobals = imports.Count(i => i.Kind == ExternKind.Global);
        module.Tables = [.. imports.Where(i => i.Kind == ExternKind.Table).Select(i => i.Table), .. module.Tables];
        module.Memories = [.. imports.Where(i => i.Kind == ExternKind.Memory).Select(i => i.Memory), .. module.Memories];
        module.GlobalTypes =
            [.. imports.Where(i => i.Kind == ExternKind.Global).Select(i => i.Global), .. module.Globals.Select(g => g.Type)];
    }
}
