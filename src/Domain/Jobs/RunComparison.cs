using System.Globalization;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>A checkpoint as its worker recorded it: a place in the program's run that fuel names.</summary>
public sealed record RecordedCheckpoint(int Attempt, Did Worker, long Sequence, long Fuel, BlobHash State, long Size);

/// <summary>Where another run of the program stood still: at the first place at which it had used so much fuel or more.
/// </summary>
public sealed record FoundState(long Fuel, BlobHash State, long Size);

/// <summary>The part of a run in which it and another one part: behind the last checkpoint that both have alike, up to
/// the first that they have not.</summary>
/// <param name="From">Null: the beginning.</param>
/// <param name="To">Null: the end.</param>
/// <param name="Found">What the other run had at <paramref name="To"/>; null: it had ended before.</param>
public sealed record RunInterval(RecordedCheckpoint? From, RecordedCheckpoint? To, FoundState? Found)
{
    public override string ToString() => $"between {Place(From, "the beginning")} and {Place(To, "the end")}";

    private static string Place(RecordedCheckpoint? at, string otherwise) => at is null ? otherwise : string.Create(
        CultureInfo.InvariantCulture, $"checkpoint {at.Sequence} of attempt {at.Attempt} (fuel {at.Fuel:N0})");
}

/// <summary>What comes of comparing a receipt with another run of its document.</summary>
/// <param name="Checkpoints">How many checkpoints were found alike.</param>
/// <param name="Parting">Where they part; null: they do not, or the program's run has no places in it.</param>
public sealed record RunComparison(
    RunClaims Claims, RunClaims Found, long Checkpoints, RunInterval? Parting, ValueList<RunDifference> Differences)
{
    public bool IsEqual => Differences.Count == 0;

    /// <summary>Compares. Checkpoints are looked at in the order of their fuel, and the first that differs decides: what
    /// comes after it says nothing of where the runs parted.</summary>
    /// <param name="checkpoints">Those that the receipt rests on.</param>
    /// <param name="found">What the other run came to.</param>
    /// <param name="states">What it had at each checkpoint's fuel; absent where it had ended before.</param>
    public static RunComparison Of(
        RunClaims claims, IEnumerable<RecordedCheckpoint> checkpoints, RunClaims found,
        IReadOnlyDictionary<long, FoundState> states)
    {
        RecordedCheckpoint? last = null;
        RunInterval? parting = null;
        var alike = 0L;
        foreach (var checkpoint in checkpoints.OrderBy(checkpoint => checkpoint.Fuel))
        {
            var state = states.GetValueOrDefault(checkpoint.Fuel);
            if (!IsSame(checkpoint, state))
            {
                parting = new RunInterval(last, checkpoint, state);
                break;
            }

            (last, alike) = (checkpoint, alike + 1);
        }

        if (parting is null && claims.Fuel is not null && claims != found)
        {
            parting = new RunInterval(last, null, null);
        }

        return new RunComparison(claims, found, alike, parting, Differing(claims, found, parting));
    }

    /// <summary>What is to be said of the receipt, with its summary signed.</summary>
    /// <param name="registration">The author's own, if it is a worker.</param>
    /// <param name="engine">What ran the document again.</param>
    public JobEvent Tell(
        IssuedReceipt receipt, Digest? registration, EngineName engine, DateTimeOffset now, SigningKey key)
    {
        var at = now.ToMicroseconds();
        if (IsEqual)
        {
            var verified = new JobEvent.ReceiptVerified(
                receipt.Attempt, receipt.Worker, registration, engine, at, Claims, Checkpoints, "");
            return verified with { Summary = VerificationSummary.Sign(verified, receipt.Digest, key) };
        }

        var disputed = new JobEvent.ReceiptDisputed(
            receipt.Attempt, receipt.Worker, registration, engine, at, Claims, Checkpoints, Found, Parting, Differences, "");
        return disputed with { Summary = VerificationSummary.Sign(disputed, receipt.Digest, key) };
    }

    /// <summary>All differences that follow from what was compared.</summary>
    public static ValueList<RunDifference> Differing(RunClaims claims, RunClaims found, RunInterval? parting) =>
        ValueList.From(RunDifference.Between(claims, found).Concat(parting?.To is { } at ? [Differing(at, parting.Found)] : []));

    /// <summary>Whether a recorded checkpoint is the state that another run had there.</summary>
    internal static bool IsSame(RecordedCheckpoint checkpoint, FoundState? state) =>
        state is not null && state.Fuel == checkpoint.Fuel && state.State == checkpoint.State && state.Size == checkpoint.Size;

    private static RunDifference Differing(RecordedCheckpoint at, FoundState? found) => new(
        string.Create(CultureInfo.InvariantCulture, $"checkpoint {at.Sequence} of attempt {at.Attempt}"),
        Text(at.Fuel, at.State, at.Size),
        found is null ? "the program had ended before" : Text(found.Fuel, found.State, found.Size));

    private static string Text(long fuel, BlobHash state, long size) => string.Create(
        CultureInfo.InvariantCulture, $"fuel {fuel}, {size} bytes, blake3 {state}");
}

/// <summary>The receipts of a job, and the checkpoints that each rests on, gathered from its events.</summary>
public sealed class ReceiptHistory
{
    private readonly List<IssuedReceipt> _receipts = [];
    private readonly List<(RecordedCheckpoint Checkpoint, CheckpointName? From)> _checkpoints = [];

    public ReceiptHistory(IEnumerable<EventFact> facts)
    {
        foreach (var fact in facts)
        {
            switch (fact.Body)
            {
                case JobEvent.ReceiptIssued issued:
                    _receipts.Add(new IssuedReceipt(fact.Digest, fact.By, issued.Attempt, issued.Receipt));
                    break;
                case JobEvent.CheckpointRecorded { Fuel: { } fuel } saved:
                    _checkpoints.Add((
                        new RecordedCheckpoint(saved.Attempt, fact.By, saved.Sequence, fuel, saved.State, saved.Size),
                        saved.ResumedFrom));
                    break;
            }
        }
    }

    /// <summary>In log order.</summary>
    public IReadOnlyList<IssuedReceipt> Receipts => _receipts;

    /// <summary>The fuel of every checkpoint, each once, rising: where another run has to stand still.</summary>
    public IReadOnlyList<long> Marks =>
        [.. _checkpoints.Select(saved => saved.Checkpoint.Fuel).Distinct().Order()];

    /// <summary>The checkpoints that a receipt rests on: all that its run recorded, and of each run that it went on from
    /// those up to where it took over.</summary>
    public IReadOnlyList<RecordedCheckpoint> Of(IssuedReceipt receipt)
    {
        var found = new HashSet<RecordedCheckpoint>();
        var left = new Stack<(int Attempt, Did Worker, long Up)>([(receipt.Attempt, receipt.Worker, long.MaxValue)]);
        if (receipt.Receipt.Guest?.ResumedFrom is { } begun)
        {
            left.Push((begun.Attempt, begun.Worker, begun.Sequence));
        }

        while (left.TryPop(out var run))
        {
            foreach (var (checkpoint, from) in _checkpoints.Where(saved => saved.Checkpoint.Attempt == run.Attempt
                && saved.Checkpoint.Worker == run.Worker && saved.Checkpoint.Sequence <= run.Up))
            {
                if (found.Add(checkpoint) && from is not null)
                {
                    left.Push((from.Attempt, from.Worker, from.Sequence));
                }
            }
        }

        return [.. found.OrderBy(checkpoint => checkpoint.Fuel)];
    }
}

/// <summary>A receipt as it stands in a job's stream.</summary>
public sealed record IssuedReceipt(Digest Digest, Did Worker, int Attempt, Receipt Receipt);
