using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>An append in the making: statements of several authors in log order, signed in one batch an author, and
/// events that were signed elsewhere.</summary>
internal sealed class Draft
{
    private readonly List<(EventAuthor? Author, Statement? Statement, SignedEvent? Signed)> _events = [];
    private readonly Dictionary<StreamId, long> _expected = [];
    private readonly HashSet<StreamId> _tolerant = [];
    private readonly Dictionary<StreamId, string> _correlations = [];

    public bool IsEmpty => _events.Count == 0;

    public Statement Add(EventAuthor author, LedgerEvent body, Crypto.Digest? cause, StreamId stream)
    {
        var statement = author.State(body, cause, stream);
        _events.Add((author, statement, null));
        return statement;
    }

    public void Add(SignedEvent signed) => _events.Add((null, null, signed));

    /// <summary>The first expectation of a stream stands: later events of the draft follow from it.</summary>
    public void Expect(StreamId stream, long version, string? correlation = null)
    {
        _expected.TryAdd(stream, version);
        if (correlation is not null)
        {
            _correlations[stream] = correlation;
        }
    }

    /// <summary>An expected account may have had payments and refunds meanwhile.</summary>
    public void Tolerate(StreamId stream) => _tolerant.Add(stream);

    /// <summary>Adds a decision's events to one stream; an event without a cause of its own answers the one before it.
    /// </summary>
    public Statement? Add(EventAuthor author, Decision decision, StreamId stream)
    {
        Statement? last = null;
        foreach (var decided in decision.Events)
        {
            last = Add(author, decided.Body, decided.Cause ?? last?.Digest, stream);
        }

        return last;
    }

    public AppendRequest Sign()
    {
        var signed = new SignedEvent[_events.Count];
        foreach (var batch in Enumerable.Range(0, _events.Count).Where(i => _events[i].Author is not null)
            .GroupBy(i => _events[i].Author!))
        {
            foreach (var indices in batch.Chunk(SignedEvent.MaxBatch))
            {
                var events = batch.Key.Sign([.. indices.Select(i => _events[i].Statement!)]);
                for (var i = 0; i < indices.Length; i++)
                {
                    signed[indices[i]] = events[i];
                }
            }
        }

        for (var i = 0; i < signed.Length; i++)
        {
            signed[i] ??= _events[i].Signed!;
        }

        return new AppendRequest(signed, _expected) { Correlations = _correlations, Tolerant = _tolerant };
    }
}
