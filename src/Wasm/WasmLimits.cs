namespace MeshLedger.Wasm;

/// <summary>What a module may contain. Going over one refuses the module with <see cref="ModuleLimitException"/>.</summary>
public sealed record ModuleLimits
{
    public static ModuleLimits Default { get; } = new();

    public int ModuleBytes { get; init; } = 64 << 20;

    public int Types { get; init; } = 100_000;

    public int Functions { get; init; } = 1_000_000;

    public int Imports { get; init; } = 100_000;

    public int Exports { get; init; } = 100_000;

    public int Globals { get; init; } = 1_000_000;

    public int Segments { get; init; } = 100_000;

    /// <summary>Parameters and locals of one function.</summary>
    public int Locals { get; init; } = 50_000;

    /// <summary>Parameters, and results, of one function type.</summary>
    public int Arity { get; init; } = 1_000;

    /// <summary>Bytes of one function's body.</summary>
    public int BodyBytes { get; init; } = 8 << 20;

    /// <summary>Blocks within blocks, and operands on the stack, within one function.</summary>
    public int Nesting { get; init; } = 50_000;
}

/// <summary>What an instance may use while it runs. Going over one is a trap, or a refused growth where the language has one.</summary>
public sealed record RunLimits
{
    public static RunLimits Default { get; } = new();

    /// <summary>Pages of 64 KiB of each memory; growth beyond gives -1, a larger minimum refuses the instance.</summary>
    public int MemoryPages { get; init; } = 65_536;

    /// <summary>Entries of all tables that an instance defines, together.</summary>
    public int TableEntries { get; init; } = 10_000_000;

    /// <summary>
    /// Call depth in units: a frame costs 1 and 1 more for every 32 words of locals and operands, in either tier and on any
    /// machine, so that the same program stops at the same call everywhere.
    /// </summary>
    public int CallDepth { get; init; } = 20_000;

    /// <summary>Fuel in all; null is no limit.</summary>
    public long? Fuel { get; init; }

    /// <summary>Wall-clock time, checked where fuel is; null is no limit. Not deterministic, unlike all others.</summary>
    public TimeSpan? Time { get; init; }
}

/// <summary>How guest code is run. All mean the same, to the last bit and unit of fuel.</summary>
public enum Tier
{
    /// <summary>
    /// Begins in the interpreter and is compiled where it keeps running: what ends soon never waits for a compiler. The
    /// interpreter alone where the host does not allow dynamic code.
    /// </summary>
    Adaptive,

    /// <summary>To IL, function by function on first call.</summary>
    Compiled,
    Interpreter,
}
