using System.Globalization;
using System.Security.Cryptography;

namespace MeshLedger.Wasm.Tests.Differential;

/// <summary>A call of an exported function of a generated module: all of its ending that is the same everywhere.</summary>
internal sealed class GeneratedRun(Module module, string export, int seed)
{
    private static readonly RunLimits Limits = new() { Fuel = 20_000, CallDepth = 60, MemoryPages = 2, TableEntries = 60 };

    public static IEnumerable<string> Exports(Module module) => module.ExportNames.Select(pair => pair.Key);

    /// <summary>The ending of an uninterrupted call.</summary>
    public (string Ending, long Fuel) Whole(Tier tier)
    {
        using var store = new Store(Limits, tier);
        var instance = Instance.Instantiate(module, Host(), store);
        var execution = Execution.Start(instance, export, Arguments());
        Assert.NotEqual(ExecutionState.Paused, execution.Run());
        return (Ending(instance, execution), execution.FuelUsed);
    }

    /// <summary>
    /// The ending of a call that pauses at marks in ascending order and goes on each time in another store, of any tier, from a
    /// snapshot alone. What the others would have written at the same mark is the same snapshot.
    /// </summary>
    public string Interrupted(IEnumerable<long> marks, Random random, ref int pauses)
    {
        var store = new Store(Limits, AnyTier(random));
        try
        {
            var instance = Instance.Instantiate(module, Host(), store);
            var execution = Execution.Start(instance, export, Arguments());
            foreach (var mark in marks)
            {
                if (execution.FuelUsed > mark)
                {
                    continue;
                }
                if (execution.Run(mark) != ExecutionState.Paused)
                {
                    break;
                }
                pauses++;
                // At times it goes on in place, in the frames that it has.
                if (random.Next(4) > 0)
                {
                    var snapshot = Snapshot(execution);
                    store.Dispose();
                    store = new Store(Limits, AnyTier(random));
                    instance = Instance.Prepare(module, Host(), store);
                    execution = Execution.Resume(instance, new MemoryStream(snapshot), out var state);
                    Assert.Equal([7, 8, 9], state);
                    Assert.Equal(snapshot, Snapshot(execution));
                }
            }
            if (execution.State is ExecutionState.Paused or ExecutionState.Ready)
            {
                execution.Run();
            }
            return Ending(instance, execution);
        }
        finally
        {
            store.Dispose();
        }
    }

    /// <summary>What is written at a mark; null when the call ends before it.</summary>
    public byte[]? SnapshotAt(long mark, Tier tier)
    {
        using var store = new Store(Limits, tier);
        var execution = Execution.Start(Instance.Instantiate(module, Host(), store), export, Arguments());
        return execution.Run(mark) == ExecutionState.Paused ? Snapshot(execution) : null;
    }

    /// <summary>The ending of what goes on from a snapshot; null when it is refused.</summary>
    public string? Resumed(byte[] snapshot, Tier tier)
    {
        using var store = new Store(Limits, tier);
        var instance = Instance.Prepare(module, Host(), store);
        Execution execution;
        try
        {
            execution = Execution.Resume(instance, new MemoryStream(snapshot), out _);
        }
        catch (FormatException)
        {
            return null;
        }
        execution.Run();
        return Ending(instance, execution);
    }

    private static byte[] Snapshot(Execution execution)
    {
        using var stream = new MemoryStream();
        execution.WriteSnapshot(stream, [7, 8, 9]);
        return stream.ToArray();
    }

    private static Tier AnyTier(Random random) => random.Next(3) switch
    {
        0 => Tier.Compiled,
        1 => Tier.Interpreter,
        _ => Tier.Adaptive,
    };

    private static string Ending(Instance instance, Execution execution)
    {
        using var state = new MemoryStream();
        Execution.WriteState(instance, state);
        var digest = Convert.ToHexStringLower(SHA256.HashData(state.ToArray()));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{execution.State} {execution.Trap?.Kind} fuel {execution.FuelUsed} results {string.Join(' ', execution.Results.Select(Bits))} state {digest}");
    }

    private static string Bits(Value value) => $"{value.Type}:{value.High:x16}{value.Low:x16}";

    private Value[] Arguments()
    {
        var random = new Random(seed);
        return [.. module.TypeOfExport(export)!.Parameters.Select(type => type switch
        {
            ValueType.I32 or ValueType.F32 => new Value(type, (uint)random.Next(-50, 50)),
            ValueType.FuncRef => Value.Null(type),
            ValueType.ExternRef => Value.Extern((uint)random.Next(9)),
            ValueType.V128 => new Value(type, (ulong)random.NextInt64(), (ulong)random.NextInt64()),
            _ => new Value(type, (ulong)random.NextInt64(-50, 50)),
        })];
    }

    private static Imports Host()
    {
        var imports = new Imports().Add("host", "g0", new Global(false, Value.I32(77)))
            .Add("host", "g1", new Global(false, new Value(ValueType.V128, 3, 4)));
        for (var i = 0; i < RandomModule.HostTypes.Length; i++)
        {
            var (type, callsBack) = (RandomModule.HostTypes[i], i == RandomModule.CallsBack);
            imports.Add("host", $"h{i}", Function.FromHost(type, (caller, slots) => Answer(type, callsBack, caller, slots)));
        }
        return imports;
    }

    private static void Answer(FunctionType type, bool callsBack, Instance caller, Span<ulong> slots)
    {
        var mixed = 0x9E37_79B9_7F4A_7C15UL;
        foreach (var slot in slots[..type.ParameterWords])
        {
            mixed = (mixed ^ slot) * 0xBF58_476D_1CE4_E5B9;
            mixed ^= mixed >> 29;
        }
        caller.Charge((long)(mixed % 20));
        if (mixed % 97 == 0)
        {
            throw new InvalidOperationException("The host fails.");
        }
        if (callsBack)
        {
            slots[0] = caller.Invoke("leaf")[0].Low;
            return;
        }
        var at = 0;
        foreach (var result in type.Results)
        {
            slots[at++] = result switch
            {
                ValueType.I32 or ValueType.F32 => (uint)mixed,
                ValueType.FuncRef => slots[0],
                ValueType.ExternRef => mixed % 5,
                _ => mixed,
            };
            if (result == ValueType.V128)
            {
                slots[at++] = ~mixed;
            }
        }
    }
}
