using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Where the events of a signature say that they stand in its batch: one size for all, no index twice. A path alone
/// would let either be rewritten. Remembers a batch until it is complete, at most the latest 20,000, and at most 1,000,000
/// places in all.
/// </summary>
internal sealed class BatchPlaces
{
    private const int MaxBatches = 20_000;
    private const int MaxPlaces = 1_000_000;

    private readonly Dictionary<Digest, (int Size, HashSet<int> Indices)> _open = [];
    private readonly Queue<Digest> _order = [];
    private int _places;

    /// <summary>What is wrong with an event's place; null if nothing is.</summary>
    public string? Disagrees(Digest signature, BatchProof proof)
    {
        if (!_open.TryGetValue(signature, out var batch))
        {
            batch = (proof.Size, []);
            _open.Add(signature, batch);
            _order.Enqueue(signature);
        }

        var wrong = batch.Size != proof.Size ? $"a batch of {batch.Size}, as another event of the signature says"
            : !batch.Indices.Add(proof.Index) ? $"another index than {proof.Index}, which another event of the signature has"
            : null;
        _places += wrong is null ? 1 : 0;
        if (batch.Indices.Count == batch.Size)
        {
            Forget(signature);
        }

        while (_order.Count > MaxBatches || _places > MaxPlaces)
        {
            Forget(_order.Dequeue());
        }

        return wrong;
    }

    private void Forget(Digest signature)
    {
        if (_open.Remove(signature, out var batch))
        {
            _places -= batch.Indices.Count;
        }
    }
}
