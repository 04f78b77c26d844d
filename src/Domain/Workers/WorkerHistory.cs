using MeshLedger.Crypto;

namespace MeshLedger.Domain.Workers;

/// <summary>A worker's latest registration, and its standing as of any position. Safe for concurrent use.</summary>
internal sealed class WorkerHistory(WorkerRegistration first)
{
    private readonly Lock _lock = new();
    private readonly List<(long Position, WorkerStanding Standing)> _standings = [];
    private WorkerRegistration _latest = first;
    private Digest? _vouchedFor;

    public WorkerRegistration Latest
    {
        get
        {
            lock (_lock)
            {
                return _latest;
            }
        }
    }

    /// <summary>True if the owner vouched for this worker, be it for an earlier registration with the same owner.
    /// </summary>
    public bool IsVouchedFor
    {
        get
        {
            lock (_lock)
            {
                return _vouchedFor is not null;
            }
        }
    }

    public WorkerStanding Standing(long asOf)
    {
        lock (_lock)
        {
            for (var i = _standings.Count - 1; i >= 0; i--)
            {
                if (_standings[i].Position <= asOf)
                {
                    return _standings[i].Standing;
                }
            }

            return WorkerStanding.Active;
        }
    }

    public void Register(WorkerRegistration registration, long position)
    {
        lock (_lock)
        {
            if (_latest.Facts.Owner != registration.Facts.Owner)
            {
                _vouchedFor = null;
            }

            _latest = registration;
            if (_standings.Count > 0)
            {
                _standings.Add((position, WorkerStanding.Active));
            }
        }
    }

    public void Take(WorkerEvent body, Did by, long position)
    {
        lock (_lock)
        {
            switch (body)
            {
                case WorkerEvent.Vouched when by == _latest.Facts.Owner:
                    _vouchedFor = _latest.Digest;
                    break;
                case WorkerEvent.Draining:
                    _standings.Add((position, WorkerStanding.Draining));
                    break;
                case WorkerEvent.Retired:
                    _standings.Add((position, WorkerStanding.Retired));
                    break;
            }
        }
    }
}
