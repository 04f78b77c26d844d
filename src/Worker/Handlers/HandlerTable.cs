using System.Collections.Frozen;
using MeshLedger.Blobs.Peers;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>What this worker runs jobs with.</summary>
public sealed record HandlerOptions
{
    /// <summary>Null: this worker has no machines, and does not offer <c>vm.execute</c>.</summary>
    public MicroVmHost? Machines { get; init; }

    /// <summary>Programs and inputs are taken from here.</summary>
    public required BlobFetcher Blobs { get; init; }

    /// <summary>Disk images are read from here only.</summary>
    public IReadOnlyList<string> ImageDirectories { get; init; } = [];

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
        ];
        if (options.Machines is { } machines)
        {
            handlers.Add(new VmExecuteHandler(machines, options.Blobs));
        }

        _handlers = handlers.SelectMany(handler => handler.Operations.Select(operation => (operation, handler)))
            .ToFrozenDictionary(entry => entry.operation, entry => entry.handler);
        Operations = [.. _handlers.Keys.Order(StringComparer.Ordinal)];
    }

    /// <summary>What this worker can bid for, sorted.</summary>
    public IReadOnlyList<string> Operations { get; }

    /// <exception cref="KeyNotFoundException">Not one of <see cref="Operations"/>; no bid was placed for such a job.
    /// </exception>
    public IOperationHandler this[string operation] => _handlers[operation];
}
