using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using MeshLedger.Crypto;

namespace MeshLedger.Domain.Events;

/// <summary>
/// Remembers which (author, root, signature) verified, so that the events of one batch cost one Ed25519 verification.
/// Holds at most <paramref name="capacity"/> batches and starts over when full. Safe for concurrent use.
/// </summary>
public sealed class BatchVerifier(int capacity = 65_536)
{
    private readonly ConcurrentDictionary<(Did By, Digest Root, Digest Signature), byte> _verified = new();
    private int _count;
    private long _total;

    /// <summary>How many signatures were verified and found good.</summary>
    public long Verified => Interlocked.Read(ref _total);

    internal bool Verify(Did by, Digest root, ReadOnlyMemory<byte> signature)
    {
        var known = (by, root, Digest.OfBytes(signature.Span));
        if (_verified.ContainsKey(known))
        {
            return true;
        }

        if (!Ed25519.Verify(by, SignedEvent.Message(root), signature.Span))
        {
            return false;
        }

        Interlocked.Increment(ref _total);
        if (Interlocked.Increment(ref _count) > capacity)
        {
            _verified.Clear();
            _count = 0;
        }

        _verified.TryAdd(known, 0);
        return true;
    }

    /// <summary>The first of <paramref name="events"/> that its author did not sign; null if all are signed. Where a whole
    /// batch is among them its tree is computed once, instead of a path for each event.</summary>
    public SignedEvent? FirstBad(IReadOnlyList<SignedEvent> events)
    {
        Dictionary<ReadOnlyMemory<byte>, List<SignedEvent>>? batches = null;
        foreach (var signed in events)
        {
            if (signed.Proof is null)
            {
                if (!signed.Verify(this))
                {
                    return signed;
                }

                continue;
            }

            // Events that were signed here share their signature's memory; others are looked at one by one.
            batches ??= [];
            ref var batch = ref CollectionsMarshal.GetValueRefOrAddDefault(batches, signed.Signature, out _);
            (batch ??= []).Add(signed);
        }

        foreach (var batch in batches?.Values ?? Enumerable.Empty<List<SignedEvent>>())
        {
            if (!VerifyWhole(batch) && batch.Find(signed => !signed.Verify(this)) is { } bad)
            {
                return bad;
            }
        }

        return null;
    }

    /// <summary>False if the events are not a whole batch in order, or it does not verify.</summary>
    private bool VerifyWhole(List<SignedEvent> batch)
    {
        var first = batch[0];
        if (batch.Count != first.Proof!.Size)
        {
            return false;
        }

        var leaves = new Digest[batch.Count];
        for (var i = 0; i < leaves.Length; i++)
        {
            if (batch[i].Proof!.Index != i || batch[i].Proof!.Size != leaves.Length || batch[i].Statement.By != first.Statement.By)
            {
                return false;
            }

            leaves[i] = batch[i].Digest;
        }

        var paths = MerkleTree.InclusionPaths(leaves, out var root);
        for (var i = 0; i < leaves.Length; i++)
        {
            if (!paths[i].AsSpan().SequenceEqual(batch[i].Proof!.Path is Digest[] path ? path : [.. batch[i].Proof!.Path]))
            {
                return false;
            }
        }

        return Verify(first.Statement.By, root, first.Signature);
    }
}
