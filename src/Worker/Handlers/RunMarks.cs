using MeshLedger.Domain.Jobs;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// The places at which a run is compared with another, by the fuel that was used there, and what it is at each. A guest
/// that once stood still where it had used F units stands still again at the first place at which it has used F or more:
/// fuel never falls, so that is the same place, whatever made it pause there. Used by one thread at a time.
/// </summary>
/// <param name="fuels">Rising, each once.</param>
internal sealed class RunMarks(IReadOnlyList<long> fuels)
{
    private readonly Dictionary<long, FoundState> _states = [];
    private int _next;

    /// <summary>Null: there are no more.</summary>
    public long? Next => _next < fuels.Count ? fuels[_next] : null;

    /// <summary>By the fuel that was asked for; absent where the guest ended before.</summary>
    public IReadOnlyDictionary<long, FoundState> States => _states;

    /// <summary>Takes in where a guest stands still, if it has come to the next mark. It may have come to several at once.
    /// </summary>
    public void Take(GuestProgram program)
    {
        if (Next is null || Next > program.FuelUsed)
        {
            return;
        }

        using var hashing = new HashingStream();
        program.WriteSnapshot(hashing);
        var state = new FoundState(program.FuelUsed, hashing.Finish(), hashing.Length);
        while (Next is { } mark && mark <= program.FuelUsed)
        {
            _states[mark] = state;
            _next++;
        }
    }
}
