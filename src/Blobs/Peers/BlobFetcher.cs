using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs.Peers;

/// <summary>
/// Brings blobs from peers into a store. However many ask for one blob at the same time, in this process or beside it, it
/// comes once. Safe for several threads at once.
/// </summary>
public sealed class BlobFetcher(
    BlobStore store, PeerList peers, FetchOptions options, TimeProvider clock, ILogger<BlobFetcher> log)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, Flight> _flights = [];

    public BlobStore Store => store;

    public PeerList Peers => peers;

    /// <summary>Returns once the blob is in the store, durably; at once if it is there.</summary>
    /// <param name="size">How many bytes it must have; null: any number that the store takes.</param>
    /// <param name="progress">Told about five times a second.</param>
    /// <param name="cancellationToken">Ends the fetch when nobody else waits for it; what came stays, and a later fetch
    /// goes on from there.</param>
    /// <exception cref="BlobNotFoundException">It is not here, and no peer gave it; says who was asked and what came of
    /// it.</exception>
    /// <exception cref="BlobMismatchException">It has another size than <paramref name="size"/>.</exception>
    /// <exception cref="BlobTooLargeException">It is larger than the store takes.</exception>
    /// <exception cref="BlobQuotaException">The store is full.</exception>
    public async Task<FetchedBlob> FetchAsync(
        BlobHash hash, long? size, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        var fetched = await ShareAsync(hash, progress, cancellationToken);
        return size is { } promised && promised != fetched.Blob.Size
            ? throw new BlobMismatchException($"Blob {hash} has {fetched.Blob.Size} bytes; {promised} were expected.")
            : fetched;
    }

    /// <summary>All of a small blob's verified bytes, fetched if it is not here or turns out to be damaged.</summary>
    /// <inheritdoc cref="FetchAsync"/>
    /// <exception cref="BlobDamagedException">It was here, damaged, and no peer gave it.</exception>
    public async Task<byte[]> ReadAsync(BlobHash hash, long? size, CancellationToken cancellationToken)
    {
        await FetchAsync(hash, size, progress: null, cancellationToken);
        try
        {
            return await store.ReadAsync(hash, cancellationToken);
        }
        catch (BlobDamagedException damaged)
        {
            Log.Damaged(log, damaged.Message);
            try
            {
                await FetchAsync(hash, size, progress: null, cancellationToken);
            }
            catch (BlobNotFoundException)
            {
                throw damaged;
            }
        }
        catch (BlobNotFoundException)
        {
            // It was collected this very moment.
            await FetchAsync(hash, size, progress: null, cancellationToken);
        }

        return await store.ReadAsync(hash, cancellationToken);
    }

    private async Task<FetchedBlob> ShareAsync(
        BlobHash hash, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        if (store.Stay(hash))
        {
            return new FetchedBlob(store.Find(hash)!, [], []);
        }

        Flight flight;
        lock (_lock)
        {
            if (!_flights.TryGetValue(hash, out flight!))
            {
                flight = new Flight();
                _flights.Add(hash, flight);
                var fetch = new BlobFetch(store, hash, peers, options, clock, log, flight.Report);
                flight.Task = Task.Run(() => RunAsync(fetch, flight, hash), CancellationToken.None);
            }

            flight.Join(progress);
        }

        try
        {
            return await flight.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            lock (_lock)
            {
                if (flight.Leave(progress) && _flights.GetValueOrDefault(hash) == flight)
                {
                    // Nobody waits any more; who comes now begins anew.
                    _flights.Remove(hash);
                    flight.Stop.Cancel();
                }
            }
        }
    }

    private async Task<FetchedBlob> RunAsync(BlobFetch fetch, Flight flight, BlobHash hash)
    {
        try
        {
            return await fetch.RunAsync(flight.Stop.Token);
        }
        finally
        {
            lock (_lock)
            {
                if (_flights.GetValueOrDefault(hash) == flight)
                {
                    _flights.Remove(hash);
                }
            }
        }
    }

    /// <summary>A fetch under way, and who waits for it. Everything but <see cref="Report"/> under the fetcher's lock.
    /// </summary>
    private sealed class Flight
    {
        private readonly Lock _reporting = new();
        private readonly List<IProgress<FetchProgress>> _progress = [];
        private int _waiting;

        public CancellationTokenSource Stop { get; } = new();

        public Task<FetchedBlob> Task { get; set; } = null!;

        public void Join(IProgress<FetchProgress>? progress)
        {
            _waiting++;
            lock (_reporting)
            {
                if (progress is not null)
                {
                    _progress.Add(progress);
                }
            }
        }

        /// <summary>True if it was the last one.</summary>
        public bool Leave(IProgress<FetchProgress>? progress)
        {
            lock (_reporting)
            {
                if (progress is not null)
                {
                    _progress.Remove(progress);
                }
            }

            return --_waiting == 0;
        }

        public void Report(FetchProgress progress)
        {
            lock (_reporting)
            {
                _progress.ForEach(one => one.Report(progress));
            }
        }
    }
}
