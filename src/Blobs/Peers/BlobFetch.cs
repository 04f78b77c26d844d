using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs.Peers;

/// <summary>
/// One fetch of one blob. First the outboard and the last group come from one peer: they prove the length, for no other
/// length has a tree that leads to the name with that last group. Then all peers that say the same length give ranges,
/// and every group is verified before it is written. A peer that lies is out for good, and named; one that fails is left
/// alone for a while. What was verified stays in the store's <c>partial/</c>.
/// </summary>
internal sealed class BlobFetch(
    BlobStore store, BlobHash hash, PeerList list, FetchOptions options, TimeProvider clock, ILogger log,
    Action<FetchProgress> report)
{
    private static readonly TimeSpan OtherProcess = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, PeerFault> _faults = [];
    private readonly ConcurrentDictionary<string, int> _reading = [];
    private readonly ConcurrentDictionary<string, bool> _sources = [];
    private readonly long _began = clock.GetTimestamp();
    private readonly FetchBeginning _beginning = new(store, hash, options, clock);
    private long _bytes;
    private long? _total;
    private long _came;

    public async Task<FetchedBlob> RunAsync(CancellationToken stop)
    {
        PartialBlob? partial;
        while ((partial = PartialBlob.TryBegin(store.Files, hash)) is null)
        {
            // Another process fetches it; its lock ends with it.
            await Task.Delay(OtherProcess, clock, stop);
            if (store.Stay(hash))
            {
                return Result();
            }
        }

        using (partial)
        {
            if (store.Stay(hash))
            {
                partial.Remove();
                return Result();
            }

            await using var reporting = new Timer(_ => Report(), null, OtherProcess, OtherProcess);
            try
            {
                for (var round = 1; ; round++)
                {
                    if (await TryAsync(partial, stop))
                    {
                        Report();
                        var result = Result();
                        Log.Fetched(
                            log, hash.ToString(), result.Blob.Size, string.Join(", ", result.Sources),
                            clock.GetElapsedTime(_began).TotalSeconds);
                        return result;
                    }

                    if (round == options.MaxRounds || list.Addresses.Count == 0
                        || list.Peers.All(peer => _faults.GetValueOrDefault(peer.Name) is { IsLie: true }))
                    {
                        throw NotFound();
                    }

                    await Task.Delay(options.FirstDelay * (1 << round), clock, stop);
                }
            }
            catch
            {
                if (partial.ReadSize() is null)
                {
                    // Nothing came that a later fetch could go on from.
                    partial.Remove();
                }

                throw;
            }
        }
    }

    /// <summary>One round with all peers that hold it. False if not all of it came.</summary>
    private async Task<bool> TryAsync(PartialBlob partial, CancellationToken stop)
    {
        var holders = await AskAsync(stop);
        foreach (var (lead, size) in holders)
        {
            if (size > store.Options.MaxBlobBytes)
            {
                // A lie or not, it is not for this store; others may say otherwise.
                Drop(lead, $"it says that the blob has {size} bytes, and this store takes {store.Options.MaxBlobBytes}", false);
                continue;
            }

            try
            {
                if (new BaoTree(size).Groups == 1)
                {
                    await _beginning.FetchSmallAsync(lead, partial, size, stop);
                    _sources[lead.Name] = true;
                    (_bytes, _came, _total) = (size, size, size);
                    partial.Publish(BlobAddition.Plain);
                    return true;
                }

                await _beginning.RunAsync(lead, partial, size, stop);
            }
            catch (PeerException fault)
            {
                Drop(lead, fault.Message, fault.IsLie);
                continue;
            }

            foreach (var (other, claim) in holders.Where(holder => holder.Size != size))
            {
                Drop(other, $"it says that the blob has {claim} bytes, and it has {size}", isLie: true);
            }

            return await FetchRangesAsync(partial, size, [.. holders.Select(holder => holder.Peer).Where(IsUsable)], stop);
        }

        return false;
    }

    private async Task<List<(BlobPeer Peer, long Size)>> AskAsync(CancellationToken stop)
    {
        var peers = list.Peers.Where(peer => _faults.GetValueOrDefault(peer.Name) is not { IsLie: true }).ToArray();
        Random.Shared.Shuffle(peers);
        var answers = await Task.WhenAll(peers.Select(async peer =>
        {
            using var limit = new CancellationTokenSource(options.AskTimeout, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            try
            {
                var size = await peer.HasAsync(hash, either.Token);
                return (Peer: peer, Size: size, Fault: size is null ? "it does not hold it" : null, IsLie: false);
            }
            catch (PeerException fault)
            {
                return (peer, null, fault.Message, fault.IsLie);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                return (peer, null, $"it did not answer within {options.AskTimeout.TotalSeconds} s", false);
            }
        }));
        var holders = new List<(BlobPeer, long)>();
        foreach (var (peer, size, fault, isLie) in answers)
        {
            if (size is { } held)
            {
                // What failed before may go now.
                _faults.Remove(peer.Name);
                holders.Add((peer, held));
            }
            else
            {
                _faults[peer.Name] = new PeerFault(peer.Name, fault!, isLie);
            }
        }

        return holders;
    }

    private async Task<bool> FetchRangesAsync(
        PartialBlob partial, long size, IReadOnlyList<BlobPeer> peers, CancellationToken stop)
    {
        var tree = new BaoTree(size);
        var plan = new RangePlan(options.RangeBytes / tree.GroupBytes, RangeReader.BatchGroups);
        (_bytes, _total) = (await Task.Run(() => PlanMissing(partial, tree, plan, stop), stop), size);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Exception? broken = null;
        await Task.WhenAll(peers.SelectMany(peer => Enumerable.Range(0, options.RangesPerPeer).Select(async _ =>
        {
            try
            {
                await ReadRangesAsync(peer, partial, tree, plan, ending.Token);
            }
            catch (Exception exception)
            {
                // Not the peer's fault: the disk's, or a stop. The others need not go on.
                Interlocked.CompareExchange(ref broken, exception, null);
                await ending.CancelAsync();
            }
        })));
        if (broken is not null)
        {
            ExceptionDispatchInfo.Throw(broken);
        }

        if (!plan.IsDone)
        {
            return false;
        }

        partial.Publish(BlobAddition.Plain);
        return true;
    }

    /// <summary>Plans what does not verify; returns how many bytes do.</summary>
    private long PlanMissing(PartialBlob partial, BaoTree tree, RangePlan plan, CancellationToken stop)
    {
        var content = ByteSource.Of(partial.Content);
        var verifier = new BaoVerifier(hash, tree, ByteSource.Of(partial.Outboard));
        var buffer = new byte[tree.GroupBytes];
        var (here, missingFrom, nextData) = (0L, -1L, 0L);
        for (var group = 0L; group < tree.Groups; group++)
        {
            stop.ThrowIfCancellationRequested();
            var bytes = buffer.AsSpan(0, tree.GroupLength(group));
            if (nextData <= tree.GroupOffset(group))
            {
                nextData = Linux.NextData(partial.Content, tree.GroupOffset(group));
            }

            // Nothing ever came into a hole. Reading it would make the kernel fill its memory with zeros.
            var isHere = nextData < tree.GroupOffset(group) + bytes.Length
                && content.Read(tree.GroupOffset(group), bytes) == bytes.Length
                && verifier.Verify(group, bytes, out _);
            here += isHere ? bytes.Length : 0;
            if (isHere && missingFrom >= 0)
            {
                plan.Add(missingFrom, group);
                missingFrom = -1;
            }
            else if (!isHere && missingFrom < 0)
            {
                missingFrom = group;
            }
        }

        if (missingFrom >= 0)
        {
            plan.Add(missingFrom, tree.Groups);
        }

        return here;
    }

    private async Task ReadRangesAsync(
        BlobPeer peer, PartialBlob partial, BaoTree tree, RangePlan plan, CancellationToken stop)
    {
        var reader = new RangeReader(hash, partial, tree, plan, options, clock);
        var failures = 0;
        while (IsUsable(peer) && await plan.TakeAsync(stop) is { } claim)
        {
            var before = claim.Next;
            _reading.AddOrUpdate(peer.Name, 1, (_, count) => count + 1);
            try
            {
                await reader.ReadAsync(peer, claim, Came, stop);
                failures = 0;
            }
            catch (PeerException fault)
            {
                failures = claim.Next > before ? 1 : failures + 1;
                if (fault.IsLie || fault.IsLasting || failures == options.MaxFailures)
                {
                    Drop(peer, fault.Message, fault.IsLie);
                }
                else
                {
                    Log.PeerFailed(log, peer.Name, hash.ToString(), fault.Message);
                }
            }
            finally
            {
                if (claim.Next > before)
                {
                    _sources[peer.Name] = true;
                }

                plan.GiveBack(claim);
                _reading.AddOrUpdate(peer.Name, 0, (_, count) => count - 1);
            }

            if (failures > 0)
            {
                await Task.Delay(options.FirstDelay * (1 << (failures - 1)), clock, stop);
            }
        }
    }

    private void Came(int bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Add(ref _came, bytes);
    }

    private bool IsUsable(BlobPeer peer)
    {
        lock (_faults)
        {
            return !_faults.ContainsKey(peer.Name);
        }
    }

    private void Drop(BlobPeer peer, string reason, bool isLie)
    {
        lock (_faults)
        {
            if (!_faults.TryGetValue(peer.Name, out var known) || !known.IsLie)
            {
                _faults[peer.Name] = new PeerFault(peer.Name, reason, isLie);
            }
        }

        Log.PeerDropped(log, peer.Name, hash.ToString(), reason);
    }

    private void Report() => report(new FetchProgress(
        Volatile.Read(ref _bytes), _total,
        (long)(Volatile.Read(ref _came) / Math.Max(0.001, clock.GetElapsedTime(_began).TotalSeconds)),
        [.. _reading.Where(pair => pair.Value > 0).Select(pair => pair.Key).Order(StringComparer.Ordinal)]));

    private FetchedBlob Result() => new(
        store.Find(hash)!, [.. _sources.Keys.Order(StringComparer.Ordinal)],
        [.. _faults.Values.OrderBy(fault => fault.Peer, StringComparer.Ordinal)]);

    private BlobNotFoundException NotFound() => new(
        hash,
        _faults.Count == 0
            ? $"Blob {hash} is not in this store, and there is no peer to ask."
            : $"Blob {hash} is not in this store, and no peer gave it. Asked: "
                + string.Join("; ", _faults.Values.OrderBy(fault => fault.Peer, StringComparer.Ordinal)
                    .Select(fault => $"{fault.Peer} ({fault.Reason})")) + ".");
}
