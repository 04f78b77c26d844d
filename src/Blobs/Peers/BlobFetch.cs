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
                    await FetchSmallAsync(lead, partial, size, stop);
                    return true;
                }

                await BeginAsync(lead, partial, size, stop);
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

    private async Task FetchSmallAsync(BlobPeer peer, PartialBlob partial, long size, CancellationToken stop)
    {
        using var body = await WithinAsync(token => peer.OpenWholeAsync(hash, token), stop);
        var bytes = new byte[size + 1];
        var (count, isStalled) = await body.ReadAsync(bytes, bytes.Length, options.StallTimeout, clock, stop);
        if (isStalled)
        {
            throw Stalled();
        }

        if (count != size || Blake3.Hash(bytes.AsSpan(0, count)) != hash)
        {
            throw new PeerException(
                count > size ? $"it sent more than the {size} bytes that it said" : "what it sent is not the blob", isLie: true);
        }

        partial.Clear();
        await ReserveAsync(size, stop);
        RandomAccess.Write(partial.Content, bytes.AsSpan(0, count), 0);
        _sources[peer.Name] = true;
        (_bytes, _came, _total) = (size, size, size);
        partial.Publish(BlobAddition.Plain);
    }

    /// <summary>After this, outboard and length are right, and the last group is here.</summary>
    private async Task BeginAsync(BlobPeer peer, PartialBlob partial, long size, CancellationToken stop)
    {
        var tree = new BaoTree(size);
        if (partial.ReadSize() == size && IsOutboardRight(partial, tree))
        {
            if (HasLastGroup(partial, tree) || await FetchLastGroupAsync(peer, partial, tree, stop))
            {
                return;
            }

            // What was here from before and this peer contradict each other; so nothing from before counts.
        }

        partial.Clear();
        await FetchOutboardAsync(peer, partial, tree, stop);
        if (!await FetchLastGroupAsync(peer, partial, tree, stop))
        {
            partial.Clear();
            throw new PeerException(
                $"its bytes from {tree.GroupOffset(tree.Groups - 1)} on, or its outboard, are not the blob's", isLie: true);
        }
    }

    private bool HasLastGroup(PartialBlob partial, BaoTree tree)
    {
        var last = tree.Groups - 1;
        var bytes = new byte[tree.GroupLength(last)];
        return ByteSource.Of(partial.Content).Read(tree.GroupOffset(last), bytes) == bytes.Length
            && new BaoVerifier(hash, tree, ByteSource.Of(partial.Outboard)).Verify(last, bytes, out _);
    }

    private async Task<bool> FetchLastGroupAsync(BlobPeer peer, PartialBlob partial, BaoTree tree, CancellationToken stop)
    {
        var last = tree.Groups - 1;
        var bytes = new byte[tree.GroupLength(last)];
        using var body = await WithinAsync(
            token => peer.OpenRangeAsync(hash, tree.GroupOffset(last), bytes.Length, tree.Length, token), stop);
        var (count, isStalled) = await body.ReadAsync(bytes, bytes.Length, options.StallTimeout, clock, stop);
        if (isStalled)
        {
            throw Stalled();
        }

        if (count < bytes.Length
            || !new BaoVerifier(hash, tree, ByteSource.Of(partial.Outboard)).Verify(last, bytes, out _))
        {
            return false;
        }

        await ReserveAsync(tree.Length, stop);
        RandomAccess.SetLength(partial.Content, tree.Length);
        RandomAccess.Write(partial.Content, bytes, tree.GroupOffset(last));
        return true;
    }

    private async Task FetchOutboardAsync(BlobPeer peer, PartialBlob partial, BaoTree tree, CancellationToken stop)
    {
        using var body = await WithinAsync(token => peer.OpenOutboardAsync(hash, token), stop);
        var receiver = new BaoOutboardReceiver(hash, tree);
        var buffer = new byte[64 * 1024];
        for (var at = 0L; !receiver.IsComplete; at += buffer.Length)
        {
            var wanted = (int)Math.Min(buffer.Length, tree.OutboardBytes - at);
            var (count, isStalled) = await body.ReadAsync(buffer.AsMemory(0, wanted), 4096, options.StallTimeout, clock, stop);
            if (!receiver.Accept(buffer.AsSpan(0, count), out var fault))
            {
                throw new PeerException($"its outboard is wrong at byte {fault.Offset}", isLie: true);
            }

            if (isStalled || count < wanted)
            {
                throw isStalled ? Stalled() : new PeerException("its outboard is cut", isLie: false);
            }

            RandomAccess.Write(partial.Outboard, buffer.AsSpan(0, count), at);
        }

        if (!await body.EndsAsync(options.StallTimeout, clock, stop))
        {
            throw new PeerException("its outboard has no end", isLie: true);
        }
    }

    private bool IsOutboardRight(PartialBlob partial, BaoTree tree)
    {
        var receiver = new BaoOutboardReceiver(hash, tree);
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = RandomAccess.Read(partial.Outboard, buffer, receiver.Verified)) > 0)
        {
            var whole = count - (int)((receiver.Verified + count - BaoTree.HeaderBytes) % BaoTree.ParentBytes);
            if (whole == 0 || !receiver.Accept(buffer.AsSpan(0, whole), out _))
            {
                return false;
            }
        }

        return receiver.IsComplete;
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
        var (here, missingFrom) = (0L, -1L);
        for (var group = 0L; group < tree.Groups; group++)
        {
            stop.ThrowIfCancellationRequested();
            var bytes = buffer.AsSpan(0, tree.GroupLength(group));
            var isHere = content.Read(tree.GroupOffset(group), bytes) == bytes.Length
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

    /// <summary>The file then counts with those on disk.</summary>
    private async Task ReserveAsync(long size, CancellationToken stop)
    {
        using var room = store.Reserve();
        await room.GrowAsync(size, stop);
        room.Keep();
    }

    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken stop) =>
        await RangeReader.WithinAsync(ask, options.StallTimeout, clock, stop);

    private PeerException Stalled() => RangeReader.Stalled(options.StallTimeout);

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
