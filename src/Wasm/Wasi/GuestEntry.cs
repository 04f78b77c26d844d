using MeshLedger.Wasm.Binary;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// The exported function that a run calls: the one that is asked for, else <c>_start</c> (a command of WASI), else
/// <c>run: () -> i64</c> (a simple guest, or a library of WASI).
/// </summary>
internal static class GuestEntry
{
    public const string Command = "_start";
    public const string Initializer = "_initialize";
    private const string Simple = "run";

    public static string Find(Module module, string? asked)
    {
        var name = asked ?? (IsFunction(module, Command) ? Command : Simple);
        if (TypeOf(module, name) is not { } type)
        {
            throw new LinkException("no entry", $"the module exports no function '{name}'");
        }
        if (type.Parameters.Length > 0 || type.Results is not ([] or [ValueType.I32] or [ValueType.I64])
            || (asked is null && name == Simple && type.Results is not [ValueType.I64]))
        {
            throw new LinkException("incompatible entry type", $"'{name}' is {type}");
        }
        return name;
    }

    public static bool HasInitializer(Module module) =>
        TypeOf(module, Initializer) is { Parameters.Length: 0, Results.Length: 0 };

    public static long Number(Value result) => result.Type == ValueType.I32 ? result.AsI32() : result.AsI64();

    private static bool IsFunction(Module module, string name) => TypeOf(module, name) is not null;

    private static FunctionType? TypeOf(Module module, string name)
    {
        var export = Array.Find(module.Exports, export => export.Name == name && export.Kind == ExternKind.Function);
        return export is null ? null : module.FunctionTypeOf(export.Index);
    }
}
