using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Peers;

/// <summary>
/// What comes before the ranges: from one peer, what proves the length and lets everything else be verified. A peer that
/// is no good for it is a <see cref="PeerException"/>.
/// </summary>
internal sealed class FetchBeginning(BlobStore store, BlobHash hash, FetchOptions options, TimeProvider clock)
{
    /// <summary>All of a blob of one group. It is in the partial blob then.</summary>
    public async Task FetchSmallAsync(BlobPeer peer, PartialBlob partial, long size, CancellationToken stop)
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
    }

    /// <summary>After this, outboard and length are right, and the last group is here.</summary>
    public async Task RunAsync(BlobPeer peer, PartialBlob partial, long size, CancellationToken stop)
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

    /// <summary>The file then counts with those on disk.</summary>
    private async Task ReserveAsync(long size, CancellationToken stop)
    {
        using var room = store.Reserve();
        await room.GrowAsync(size, stop);
        room.Keep();
    }

    private Task<PeerBody> WithinAsync(Func<CancellationToken, Task<PeerBody>> ask, CancellationToken stop) =>
        RangeReader.WithinAsync(ask, options.StallTimeout, clock, stop);

    private PeerException Stalled() => RangeReader.Stalled(options.StallTimeout);
}
