using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Workers;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker;

/// <summary>
/// What a worker has left. What needs resources is reserved from its bid on, so that a worker never offers twice what it
/// has once. What needs none is limited by count alone: as much may stand in line beyond the slots as the worker gets
/// through in <see cref="Lookahead"/>, going by how long such jobs took lately, so that short jobs follow each other
/// without a gap and long ones go to whoever is free. Not safe for concurrent use.
/// </summary>
public sealed class Capacity(WorkerResources all, int slots, TimeProvider clock)
{
    /// <summary>How much light work may stand in line.</summary>
    public static readonly TimeSpan Lookahead = TimeSpan.FromMilliseconds(200);

    private const int MaxInLine = 256;

    private readonly Dictionary<(JobId Job, int Attempt), HandlerNeeds> _reserved = [];
    private readonly Dictionary<string, TimeSpan> _pace = [];
    private HandlerNeeds _used = HandlerNeeds.None;

    /// <summary>How many are reserved.</summary>
    public int Count => _reserved.Count;

    /// <summary>What is free, as the bid on a reserved run says it: what is reserved for this very run is free for it.
    /// </summary>
    public FreeResources FreeFor((JobId Job, int Attempt) run)
    {
        var others = _reserved.TryGetValue(run, out var own) ? _used.Minus(own) : _used;
        return new FreeResources(
            Math.Max(0, all.CpuCores - others.CpuCores),
            Math.Max(0, all.MemoryMb - others.MemoryMb),
            Math.Max(0, all.StorageMb - others.StorageMb),
            Math.Max(1, slots - _reserved.Count + (own is null ? 0 : 1)));
    }

    /// <summary>True if a job could ever be reserved.</summary>
    public bool CouldFit(HandlerNeeds needs) =>
        needs.CpuCores <= all.CpuCores && needs.MemoryMb <= all.MemoryMb && needs.StorageMb <= all.StorageMb;

    /// <summary>Reserves what a job needs, if it is there.</summary>
    public bool TryReserve((JobId Job, int Attempt) run, HandlerNeeds needs, string operation)
    {
        var inLine = needs == HandlerNeeds.None && _pace.TryGetValue(operation, out var each)
            ? (int)Math.Min(MaxInLine, slots * (Lookahead / (each + TimeSpan.FromMicroseconds(100))))
            : 0;
        var fits = _reserved.Count < slots + inLine
            && _used.CpuCores + needs.CpuCores <= all.CpuCores
            && _used.MemoryMb + needs.MemoryMb <= all.MemoryMb
            && _used.StorageMb + needs.StorageMb <= all.StorageMb;
        if (fits && _reserved.TryAdd(run, needs))
        {
            _used = _used.Plus(needs);
        }

        return fits;
    }

    public bool Holds((JobId Job, int Attempt) run) => _reserved.ContainsKey(run);

    public void Release((JobId Job, int Attempt) run)
    {
        if (_reserved.Remove(run, out var needs))
        {
            _used = _used.Minus(needs);
        }
    }

    /// <summary>How long a run took, from a <see cref="TimeProvider.GetTimestamp"/> on.</summary>
    public void Took(string operation, long since)
    {
        var took = clock.GetElapsedTime(since);
        _pace[operation] = _pace.TryGetValue(operation, out var before) ? (before * 0.8) + (took * 0.2) : took;
    }
}
