using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What an attempt came to: a run whose result stands, or an error; and what became of every run.</summary>
public sealed record Verdict(Run? Winner, JobError? Error, ValueList<AttemptOutcome> Outcomes)
{
    /// <summary>
    /// The verdict on the attempt that is under way; null while a run may still hand in its receipt. With one run its
    /// receipt is the result. With several, what more than half of them say is: the outputs by name and digest and, of a
    /// metered guest, fuel, result and final state; or the error by code and exit code.
    /// </summary>
    /// <param name="silent">The workers that are given up, with <see cref="RunResults.Lost"/> or
    /// <see cref="RunResults.TimedOut"/>.</param>
    public static Verdict? Of(JobState state, IReadOnlyDictionary<Did, string> silent, IAuthority authority)
    {
        if (state.Runs.IsEmpty || state.Runs.Exists(run => run.Receipt is null && !silent.ContainsKey(run.Worker)))
        {
            return null;
        }

        return state.Runs is [var only] ? Alone(state, only, silent, authority) : Majority(state, silent, authority);
    }

    /// <summary>True if the receipts that are there make the verdict, whatever the runs without one may still say:
    /// all are there, or a majority has the same result.</summary>
    public static bool IsDecided(JobState state, IAuthority authority) =>
        state.Runs.Exists(run => run.Receipt is not null)
        && (!state.Runs.Exists(run => run.Receipt is null)
            || Of(
                state,
                state.Runs.Where(run => run.Receipt is null)
                    .ToDictionary(run => run.Worker, _ => RunResults.TimedOut),
                authority)!.Winner is not null);

    /// <summary>What two runs have in common exactly when they say the same.</summary>
    public static Digest ResultDigest(Receipt receipt)
    {
        var text = new StringBuilder();
        if (receipt.Error is { } error)
        {
            text.Append(CultureInfo.InvariantCulture, $"error\0{error.Code}\0{receipt.ExitCode}\0");
        }
        else
        {
            foreach (var output in receipt.Outputs.OrderBy(output => output.Name, StringComparer.Ordinal))
            {
                text.Append(CultureInfo.InvariantCulture, $"{output.Name}\0{output.Size}\0{output.Sha256}\0{output.Truncated}\0");
            }

            if (receipt.Guest is { } guest)
            {
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"guest\0{guest.Fuel}\0{guest.FuelTable}\0{guest.Result}\0{guest.StateDigest}\0");
            }
        }

        return new Digest(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static Verdict Alone(
        JobState state, Run run, IReadOnlyDictionary<Did, string> silent, IAuthority authority) => run.Receipt switch
        {
            null => new Verdict(null, Silence(state, silent[run.Worker]), [Outcome(run, silent[run.Worker])]),
            { Error: { } error } => new Verdict(null, error, [Outcome(run, RunResults.Failed)]),
            _ => new Verdict(run, null, [Paid(state, run, RunResults.Succeeded, authority)]),
        };

    private static Verdict Majority(JobState state, IReadOnlyDictionary<Did, string> silent, IAuthority authority)
    {
        var results = state.Runs.ConvertAll(run => run.Receipt is { } receipt ? ResultDigest(receipt) : (Digest?)null);
        var majority = results.Where(result => result is not null)
            .GroupBy(result => result!.Value)
            .Where(group => group.Count() * 2 > state.Runs.Count)
            .Select(group => (Digest?)group.Key)
            .FirstOrDefault();
        var winner = majority is { } agreed ? state.Runs[results.IndexOf(agreed)] : null;
        var succeeded = winner is { Receipt.Error: null };
        var outcomes = state.Runs.Select((run, i) => run.Receipt switch
        {
            null => Outcome(run, silent[run.Worker]),
            _ when majority is not null && results[i] != majority => Outcome(run, RunResults.Disagreed),
            { Error: not null } => Outcome(run, RunResults.Failed),
            _ when succeeded => Paid(state, run, RunResults.Agreed, authority),
            _ => Outcome(run, RunResults.Withdrawn),
        });
        var error = succeeded ? null : winner?.Receipt!.Error ?? new JobError(
            "QUORUM_NOT_REACHED",
            $"No result has a majority of the {state.Runs.Count} workers that were asked: "
                + $"{state.Runs.Count(run => run.Receipt is not null)} gave receipts, "
                + $"{results.Where(result => result is not null).Distinct().Count()} different ones.",
            "market",
            Recoverable: true);
        return new Verdict(succeeded ? winner : null, error, ValueList.From(outcomes));
    }

    private static JobError Silence(JobState state, string result) => result == RunResults.TimedOut
        ? new JobError(
            JobError.Timeout,
            string.Create(
                CultureInfo.InvariantCulture, $"The worker gave no receipt within {state.Submission.Terms.TimeoutMs / 1000} s."),
            "execution",
            Recoverable: true)
        : new JobError(
            JobError.LeaseLost,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The worker was silent for longer than its lease of {state.Assignment!.Selection.LeaseMs} ms."),
            "execution",
            Recoverable: true);

    private static AttemptOutcome Outcome(Run run, string result) => new(run.Worker, result, 0);

    private static AttemptOutcome Paid(JobState state, Run run, string result, IAuthority authority)
    {
        var owner = authority.Registration(run.Bid.Body.Registration)?.Facts.Owner;
        return new AttemptOutcome(
            run.Worker,
            run.Worker == state.Submitter || owner == state.Submitter ? RunResults.Own : result,
            Pricing.Adjust(run.Price, state.SubmitterReputation));
    }
}
