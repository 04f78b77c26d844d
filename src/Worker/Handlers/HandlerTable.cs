using System.Collections.Frozen;
using MeshLedger.Blobs.Peers;
using MeshLedger.Machines;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>What this worker runs jobs with.</summary>
public sealed record HandlerOptions
{
    /// <summary>Null: this worker has no machines, and runs no programs of format <c>elf</c>.</summary>
    public MicroVmHost? Machines { get; init; }

    /// <summary>Programs and inputs are taken from here.</summary>
    public required BlobFetcher Blobs { get; init; }

    /// <summary>Disk images are read from here only.</summary>
    public IReadOnlyList<string> ImageDirectories { get; init; } = [];

    /// <summary>How programs of format <c>wasm</c> are run.</summary>
    public Tier WasmTier { get; init; } = Tier.Adaptive;

    /// <summary>Directories that such programs get whose documents ask for them by the guest's path.</summary>
    public IReadOnlyList<GuestDirectory> WasmDirectories { get; init; } = [];

    /// <summary>Programs that read what others made run as this user when the worker runs as root.</summary>
    public string UnprivilegedUser { get; init; } = "nobody";
}

/// <summary>Which handler runs which operation: the one place that says so.</summary>
public sealed class HandlerTable
{
    private readonly FrozenDictionary<string, IOperationHandler> _handlers;

    public HandlerTable(HandlerOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        List<IOperationHandler> handlers =
        [
            new EchoHandler(),
            new SleepHandler(time),
            new InspectHandler(options.ImageDirectories, options.UnprivilegedUser, time),
            new ExecuteHandler(Formats(options, time)),
        ];

        _handlers = handlers.SelectMany(handler => handler.Operations.Select(operation => (operation, handler)))
            .ToFrozenDictionary(entry => entry.operation, entry => entry.handler);
        Operations = [.. _handlers.Keys.Order(StringComparer.Ordinal)];
    }

    private static List<(string Format, IOperationHandler Handler)> Formats(HandlerOptions options, TimeProvider time)
    {
        List<(string, IOperationHandler)> formats = [("wasm", new WasmHandler(options, time))];
        if (options.Machines is { } machines)
        {
            formats.Insert(0, ("elf", new VmExecuteHandler(machines, options.Blobs)));
        }

        return formats;
    }

    /// <summary>What this worker can bid for, sorted.</summary>
    public IReadOnlyList<string> Operations { get; }

    /// <summary>What runs an operation; null: nothing here does.</summary>
    internal IOperationHandler? Find(string operation) => _handlers.GetValueOrDefault(operation);

    /// <exception cref="KeyNotFoundException">Not one of <see cref="Operations"/>; no bid was placed for such a job.
    /// </exception>
    public IOperationHandler this[string operation] => _handlers[operation];
}
