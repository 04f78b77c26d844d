namespace MeshLedger.Wasm.Binary;

/// <summary>Checks a decoded module (section 3.4): indices, limits, constants, exports, and each function's body.</summary>
internal static class ModuleValidator
{
    public static void Validate(Module module)
    {
        foreach (var index in module.FunctionTypes)
        {
            Within(index, module.Types.Length, "unknown type", 0);
        }
        Tables(module);
        Memories(module);
        module.Referable = new bool[module.FunctionTypes.Length];
        foreach (var global in module.Globals)
        {
            Constant(module, global.Initial, global.Type.Type);
        }
        Exports(module);
        Start(module);
        Elements(module);
        Data(module);
        var validator = new FunctionValidator(module);
        for (var i = 0; i < module.Bodies.Length; i++)
        {
            validator.Validate(module.ImportedFunctions + i, null);
        }
    }

    private static void Within(int index, int count, string reason, int offset)
    {
        if ((uint)index >= (uint)count)
        {
            throw new InvalidModuleException($"{reason} {index}", offset);
        }
    }

    private static void Tables(Module module)
    {
        foreach (var table in module.Tables)
        {
            Limits(table.Limits, uint.MaxValue, "");
        }
    }

    private static void Memories(Module module)
    {
        if (module.Memories.Length > 1)
        {
            throw new InvalidModuleException("multiple memories", 0);
        }
        foreach (var memory in module.Memories)
        {
            Limits(memory, 65_536, "memory size must be at most 65536 pages (4GiB)");
        }
    }

    private static void Limits(LimitsType limits, uint most, string reason)
    {
        if (limits.Minimum > most || limits.Maximum > most)
        {
            throw new InvalidModuleException(reason, 0);
        }
        if (limits.Maximum < limits.Minimum)
        {
            throw new InvalidModuleException("size minimum must not be greater than maximum", 0);
        }
    }

    private static void Constant(Module module, ConstantExpression expression, ValueType expected)
    {
        var type = expression.Type;
        if (expression.Function >= 0)
        {
            Within(expression.Function, module.FunctionTypes.Length, "unknown function", expression.Offset);
            module.Referable[expression.Function] = true;
        }
        if (expression.Global >= 0)
        {
            // Only imported globals are there when constants are evaluated.
            Within(expression.Global, module.ImportedGlobals, "unknown global", expression.Offset);
            var global = module.GlobalTypes[expression.Global];
            type = global.Mutable ? throw new InvalidModuleException("constant expression required", expression.Offset) : global.Type;
        }
        if (type != expected)
        {
            throw new InvalidModuleException("type mismatch", expression.Offset, $"a constant of {expected.Name()} is expected");
        }
    }

    private static void Exports(Module module)
    {
        var names = new HashSet<string>(module.Exports.Length, StringComparer.Ordinal);
        foreach (var export in module.Exports)
        {
            var count = export.Kind switch
            {
                ExternKind.Function => module.FunctionTypes.Length,
                ExternKind.Table => module.Tables.Length,
                ExternKind.Memory => module.Memories.Length,
                _ => module.GlobalTypes.Length,
            };
            Within(export.Index, count, $"unknown {Module.KindName(export.Kind)}", export.Offset);
            if (export.Kind == ExternKind.Function)
            {
                module.Referable[export.Index] = true;
            }
            if (!names.Add(export.Name))
            {
                throw new InvalidModuleException("duplicate export name", export.Offset, export.Name);
            }
        }
    }

    private static void Start(Module module)
    {
        if (module.StartFunction < 0)
        {
            return;
        }
        Within(module.StartFunction, module.FunctionTypes.Length, "unknown function", module.StartOffset);
        var type = module.FunctionTypeOf(module.StartFunction);
        if (type.Parameters.Length + type.Results.Length > 0)
        {
            throw new InvalidModuleException("start function", module.StartOffset, $"its type is {type}");
        }
    }

    private static void Elements(Module module)
    {
        foreach (var segment in module.Elements)
        {
            if (segment.Mode == SegmentMode.Active)
            {
                Within(segment.Table, module.Tables.Length, "unknown table", segment.Offset);
                if (module.Tables[segment.Table].Type != segment.Type)
                {
                    throw new InvalidModuleException("type mismatch", segment.Offset, "the segment's type is not the table's");
                }
                Constant(module, segment.Start, ValueType.I32);
            }
            foreach (var entry in segment.Entries)
            {
                Constant(module, entry, segment.Type);
            }
        }
    }

    private static void Data(Module module)
    {
        foreach (var segment in module.Data)
        {
            if (segment.Mode == SegmentMode.Active)
            {
                Within(segment.Memory, module.Memories.Length, "unknown memory", segment.Offset);
                Constant(module, segment.Start, ValueType.I32);
            }
        }
    }
}
