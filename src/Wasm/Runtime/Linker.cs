using MeshLedger.Wasm.Binary;

namespace MeshLedger.Wasm.Runtime;

/// <summary>Matches what is offered with what a module's imports ask for (section 3.2.7).</summary>
internal static class Linker
{
    public static object Find(Module module, ModuleImport import, Imports imports)
    {
        var found = imports.Find(import.Module, import.Name)
            ?? throw new LinkException("unknown import", $"{import.Module}.{import.Name} ({Module.KindName(import.Kind)})");
        var matches = (import.Kind, found) switch
        {
            (ExternKind.Function, Function function) => function.Type.Equals(module.Types[import.TypeIndex]),
            (ExternKind.Table, Table table) =>
                table.Type == import.Table.Type && Fits((uint)table.Length, table.DeclaredMaximum, import.Table.Limits),
            (ExternKind.Memory, Memory memory) => Fits((uint)memory.Pages, memory.DeclaredMaximum, import.Memory),
            (ExternKind.Global, Global global) => global.Type == import.Global.Type && global.Mutable == import.Global.Mutable,
            _ => false,
        };
        return matches ? found : throw new LinkException(
            "incompatible import type", $"{import.Module}.{import.Name} is wanted as {Wanted(module, import)}, offered is {Offered(found)}");
    }

    private static bool Fits(uint size, uint? maximum, LimitsType wanted) =>
        size >= wanted.Minimum && (wanted.Maximum is not { } most || (maximum is { } own && own <= most));

    private static string Wanted(Module module, ModuleImport import) => import.Kind switch
    {
        ExternKind.Function => $"a function {module.Types[import.TypeIndex]}",
        ExternKind.Table => $"a table of {import.Table.Type.Name()} {Range(import.Table.Limits.Minimum, import.Table.Limits.Maximum)}",
        ExternKind.Memory => $"a memory {Range(import.Memory.Minimum, import.Memory.Maximum)}",
        _ => $"a {(import.Global.Mutable ? "mutable " : "")}global {import.Global.Type.Name()}",
    };

    private static string Offered(object found) => found switch
    {
        Function function => $"a function {function.Type}",
        Table table => $"a table of {table.Type.Name()} {Range((uint)table.Length, table.DeclaredMaximum)}",
        Memory memory => $"a memory {Range((uint)memory.Pages, memory.DeclaredMaximum)}",
        Global global => $"a {(global.Mutable ? "mutable " : "")}global {global.Type.Name()}",
        _ => found.GetType().Name,
    };

    private static string Range(uint minimum, uint? maximum) => maximum is { } most ? $"{minimum} to {most}" : $"{minimum} or more";
}
