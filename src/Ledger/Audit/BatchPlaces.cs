using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Where the events of a signature say that they stand in its batch: one size for all, no index twice. A path alone
/// would let either be rewritten. Remembers a batch until it is complete, and at most the latest 20,000.
/// </summary>
internal sealed class BatchPlaces
{
    private const int MaxBatches = 20_000;

    private readonly Dictionary<Digest, (int Size, HashSet<int> Indices)> _open = [];
    private readonly Queue<Digest> _order = [];

    /// <summary>False if another event of the signature says otherwise.</summary>
    public bool Agrees(Digest signature, BatchProof proof)
    {
        if (!_open.TryGetValue(signature, out var batch))
        {
            batch = (proof.Size, []);
            _open.Add(signature, batch);
            _order.Enqueue(signature);
            while (_order.Count > MaxBatches)
            {
                _open.Remove(_order.Dequeue());
            }
        }

        var agrees = batch.Size == proof.Size && batch.Indices.Add(proof.Index);
        if (batch.Indices.Count == batch.Size)
        {
            _open.Remove(signature);
        }

        return agrees;
    }
}
