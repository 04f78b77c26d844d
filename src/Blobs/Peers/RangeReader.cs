using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Peers;

/// <summary>One connection's work: reads a claim's bytes from a peer, verifies them, and writes what is right. Not safe
/// for several threads at once.</summary>
internal sealed class RangeReader(
    BlobHash hash, PartialBlob partial, BaoTree tree, RangePlan plan, FetchOptions options, TimeProvider clock)
{
    /// <summary>How many groups are verified and written at once: 256 KiB.</summary>
    public const int BatchGroups = 16;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BatchGroups * tree.GroupBytes);
    private readonly BaoVerifier _verifier = new(hash, tree, ByteSource.Of(partial.Outboard));

    /// <param name="came">Gets the size of each batch that was written.</param>
    /// <exception cref="PeerException">The peer failed or lied; what came before is written.</exception>
    /// <exception cref="IOException">The store cannot be read or written.</exception>
    public async Task ReadAsync(BlobPeer peer, RangeClaim claim, Action<int> came, CancellationToken stop)
    {
        var start = tree.GroupOffset(claim.Next);
        var end = End(claim.End);
        using var body = await WithinAsync(
            token => peer.OpenRangeAsync(hash, start, end - start, tree.Length, token), options.StallTimeout, clock, stop);
        int groups;
        while ((groups = plan.Next(claim, BatchGroups)) > 0)
        {
            var offset = tree.GroupOffset(claim.Next);
            var wanted = (int)(End(claim.Next + groups) - offset);
            var (count, isStalled) = await body.ReadAsync(
                _buffer.AsMemory(0, wanted), tree.GroupBytes, options.StallTimeout, clock, stop);

            // What came in whole groups counts, also if the rest did not.
            var whole = count == wanted ? count : count - (count % tree.GroupBytes);
            if (whole > 0)
            {
                came(Take(claim, offset, whole));
            }

            if (count < wanted)
            {
                throw isStalled
                    ? Stalled(options.StallTimeout)
                    : new PeerException($"it sent {offset + count - start} bytes, and ended before byte {end}", isLie: false);
            }
        }

        if (tree.GroupOffset(claim.Next - 1) + tree.GroupLength(claim.Next - 1) == end
            && !await body.EndsAsync(options.StallTimeout, clock, stop))
        {
            throw new PeerException("it sends more than it was asked for", isLie: true);
        }

        Linux.BeginWriting(partial.Content, start, end - start);
    }

    public static PeerException Stalled(TimeSpan patience) =>
        new($"nothing came for {patience.TotalSeconds:0.###} s", isLie: false);

    /// <summary>What a peer has to answer in a given time.</summary>
    public static async Task<T> WithinAsync<T>(
        Func<CancellationToken, Task<T>> ask, TimeSpan patience, TimeProvider clock, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            return await ask(either.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw Stalled(patience);
        }
    }

    /// <summary>Writes the groups that are right. Returns how many bytes that were.</summary>
    private int Take(RangeClaim claim, long offset, int count)
    {
        var bytes = _buffer.AsSpan(0, count);
        var isRight = _verifier.Verify(claim.Next, bytes, out var fault);
        if (!isRight && fault.Part == BaoPart.Nodes)
        {
            throw new IOException($"The outboard of blob {hash}, which was verified, changed on disk.");
        }

        var right = isRight ? count : (int)(fault.Offset - offset);
        RandomAccess.Write(partial.Content, bytes[..right], offset);
        plan.Advance(claim, claim.Next + ((right + tree.GroupBytes - 1) / tree.GroupBytes));
        return isRight
            ? right
            : throw new PeerException($"its bytes from {fault.Offset} on are not the blob's", isLie: true);
    }

    private long End(long group) => Math.Min(group * tree.GroupBytes, tree.Length);
}
