namespace MeshLedger.Blobs;

/// <summary>Counts what the store's files take, so that a blob that does not fit is refused while it streams in.</summary>
/// <param name="quota">In bytes; null: none.</param>
/// <param name="count">Counts the bytes on disk, but those of this process' open reservations.</param>
/// <param name="collect">Removes what nothing keeps alive.</param>
/// <remarks>What other processes write meanwhile is seen when their blobs are complete, at the next count.</remarks>
internal sealed class StoreQuota(long? quota, Func<long> count, Func<CancellationToken, Task> collect)
{
    private readonly Lock _lock = new();
    private Task? _counting;
    private long? _used;
    private long _reserved;

    public bool IsLimited => quota is not null;

    public StoreReservation Begin() => new(this);

    /// <exception cref="BlobQuotaException">There is no room.</exception>
    internal async ValueTask ReserveAsync(long bytes, CancellationToken cancellationToken)
    {
        if (quota is not { } most)
        {
            return;
        }

        // A count that others asked for may have begun too early for this.
        for (var round = 0; !TryReserve(bytes, most); round++)
        {
            if (round == 2)
            {
                throw new BlobQuotaException(most, Used, bytes);
            }

            await CountAsync(bytes, most).WaitAsync(cancellationToken);
        }
    }

    private long Used
    {
        get
        {
            lock (_lock)
            {
                return (_used ?? 0) + _reserved;
            }
        }
    }

    private Task CountAsync(long bytes, long most)
    {
        lock (_lock)
        {
            return _counting is { IsCompleted: false } ? _counting : _counting = Task.Run(async () =>
            {
                Recount();
                if (bytes > most - Used)
                {
                    await collect(CancellationToken.None);
                    Recount();
                }
            });
        }
    }

    private void Recount()
    {
        var used = count();
        lock (_lock)
        {
            _used = used;
        }
    }

    private bool TryReserve(long bytes, long most)
    {
        lock (_lock)
        {
            if (_used is not { } used || bytes > most - used - _reserved)
            {
                return false;
            }

            _reserved += bytes;
            return true;
        }
    }

    internal void Release(long bytes, bool kept)
    {
        lock (_lock)
        {
            _reserved -= bytes;
            _used += kept ? bytes : 0;
        }
    }
}

/// <summary>Room for one blob in the making.</summary>
internal sealed class StoreReservation(StoreQuota quota) : IDisposable
{
    private long _bytes;
    private bool _kept;

    /// <summary>Makes sure that there is room for so many bytes altogether.</summary>
    /// <exception cref="BlobQuotaException">There is not.</exception>
    public async ValueTask GrowAsync(long total, CancellationToken cancellationToken)
    {
        if (quota.IsLimited && total > _bytes)
        {
            await quota.ReserveAsync(total - _bytes, cancellationToken);
            _bytes = total;
        }
    }

    /// <summary>The blob stays.</summary>
    public void Keep() => _kept = true;

    public void Dispose()
    {
        quota.Release(_bytes, _kept);
        _bytes = 0;
    }
}
