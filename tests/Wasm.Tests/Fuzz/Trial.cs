using System.Diagnostics;
using System.Globalization;
using MeshLedger.Wasm.Binary;

namespace MeshLedger.Wasm.Tests.Fuzz;

/// <summary>A module from a stranger, taken as far as it goes within small limits, with stubs for all that it imports.</summary>
internal static class Trial
{
    public static readonly RunLimits Limits = new() { Fuel = 100_000, CallDepth = 300, MemoryPages = 20, TableEntries = 1_000 };

    private const int MostCalls = 12;

    /// <summary>The refusal, or null and the module.</summary>
    public static string? Decode(byte[] bytes, out Module? module)
    {
        module = null;
        try
        {
            module = Module.Decode(bytes);
            return null;
        }
        catch (MalformedModuleException e)
        {
            return $"malformed: {e.Reason}";
        }
        catch (InvalidModuleException e)
        {
            return $"invalid: {e.Reason}";
        }
        catch (ModuleLimitException)
        {
            return "beyond a limit";
        }
    }

    /// <summary>How it all ended; anything but a trap and a refusal is for the caller to fail on.</summary>
    public static string Run(Module module, Tier tier)
    {
        using var store = new Store(Limits, tier);
        Instance instance;
        try
        {
            instance = Instance.Instantiate(module, Stubs(module), store);
        }
        catch (Exception e) when (e is LinkException or ModuleLimitException or GuestExitException)
        {
            return $"refused: {e.GetType().Name}";
        }
        catch (TrapException trap)
        {
            return $"not instantiated: {trap.Kind}";
        }
        var endings = new List<string>();
        foreach (var (name, _) in module.ExportNames.Where(export => export.Value == "function").Take(MostCalls))
        {
            var arguments = module.TypeOfExport(name)!.Parameters.Select(type => new Value(type, type is ValueType.FuncRef ? 0UL : 3UL)).ToArray();
            var execution = Execution.Start(instance, name, arguments);
            execution.Run();
            endings.Add(string.Create(
                CultureInfo.InvariantCulture, $"{execution.State} {execution.Trap?.Kind} {execution.FuelUsed} {string.Join(' ', execution.Results)}"));
            if (execution.State == ExecutionState.Trapped && execution.Trap!.Kind == TrapKind.OutOfFuel)
            {
                break;
            }
        }
        return string.Join('\n', endings);
    }

    /// <summary>The same, in bounded time.</summary>
    public static string Run(Module module, Tier tier, Stopwatch clock)
    {
        var ending = Run(module, tier);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"It took {clock.Elapsed} in the tier {tier}.");
        return ending;
    }

    private static Imports Stubs(Module module)
    {
        var imports = new Imports();
        foreach (var import in module.Imports)
        {
            switch (import.Kind)
            {
                case ExternKind.Function:
                    var type = module.Types[import.TypeIndex];
                    imports.Add(import.Module, import.Name, Function.FromHost(type, (_, slots) => slots[..type.ResultWords].Clear()));
                    break;
                case ExternKind.Memory:
                    imports.Add(import.Module, import.Name, new Memory(Math.Min(import.Memory.Minimum, 20), import.Memory.Maximum, 20));
                    break;
                case ExternKind.Table:
                    var table = import.Table;
                    imports.Add(import.Module, import.Name, new Table(table.Type, Math.Min(table.Limits.Minimum, 1_000), table.Limits.Maximum, 1_000));
                    break;
                default:
                    imports.Add(import.Module, import.Name, new Global(import.Global.Mutable, new Value(import.Global.Type, 0)));
                    break;
            }
        }
        return imports;
    }
}
