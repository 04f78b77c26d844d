using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>
/// What submitters and namespaces have asked for lately, over all nodes as far as this one has followed the log: two
/// nodes that take jobs in the same instant may together go over a limit by what each takes in that instant. Safe for
/// concurrent use.
/// </summary>
internal sealed class Quotas(EconomyOptions options, TimeProvider clock)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<JobId, Taken> _taken = [];
    private readonly Dictionary<string, Ledger> _ledgers = [];

    /// <summary>Whether there is any limit to look after.</summary>
    public bool IsNeeded { get; } = !options.PerSubmitter.IsNone || !options.PerNamespace.IsNone
        || options.Namespaces.Values.Any(limits => !limits.IsNone);

    /// <summary>Counts a submission, or says which limit it would go over.</summary>
    public Refusal? Take(JobId job, Did submitter, string? space, long escrow)
    {
        if (options.MaxEscrow > 0 && escrow > options.MaxEscrow)
        {
            return new Refusal(
                "PRICE_LIMIT", $"a job may hold at most {options.MaxEscrow} mana here, this one holds {escrow}; lower max_price");
        }

        if (!IsNeeded)
        {
            return null;
        }

        lock (_lock)
        {
            if (_taken.ContainsKey(job))
            {
                return null;
            }

            var refusal = Check("submitter", submitter.ToString(), options.PerSubmitter, escrow)
                ?? (space is null ? null : Check("namespace", space, LimitsOf(space), escrow));
            if (refusal is null)
            {
                Add(job, submitter, space, escrow, clock.GetUtcNow());
            }

            return refusal;
        }
    }

    /// <summary>What the log holds: counted once, whoever took it.</summary>
    public void Observe(RecordedEvent recorded)
    {
        if (!IsNeeded || !recorded.Statement.Stream.IsJob(out var job))
        {
            return;
        }

        lock (_lock)
        {
            switch (recorded.Statement.Body)
            {
                case JobEvent.Submitted submitted when !_taken.ContainsKey(job):
                    Add(
                        job, recorded.Statement.By, submitted.Terms.Namespace,
                        Pricing.Escrow(submitted.Terms, 0), recorded.AppendedAt);
                    break;
                case JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled:
                    Forget(job, isEnd: true);
                    break;
            }
        }
    }

    /// <summary>A submission that was counted came to nothing.</summary>
    public void GiveBack(JobId job)
    {
        lock (_lock)
        {
            Forget(job, isEnd: false);
        }
    }

    private QuotaLimits LimitsOf(string space) => options.Namespaces.GetValueOrDefault(space) ?? options.PerNamespace;

    private Refusal? Check(string what, string who, QuotaLimits limits, long escrow)
    {
        var ledger = _ledgers.GetValueOrDefault($"{what} {who}");
        var now = clock.GetUtcNow();
        if (limits.OpenJobs > 0 && (ledger?.Open ?? 0) >= limits.OpenJobs)
        {
            return new Refusal(
                "QUOTA_OPEN_JOBS", $"{what} {who} has {ledger!.Open} open jobs, {limits.OpenJobs} are allowed; wait for one to end");
        }

        if (limits.JobsPerMinute > 0 && ledger?.Since(now - Minute).Jobs >= limits.JobsPerMinute)
        {
            return new Refusal(
                "QUOTA_JOBS_PER_MINUTE", $"{what} {who} may submit {limits.JobsPerMinute} jobs a minute; wait a minute");
        }

        var spent = ledger?.Since(now - Day).Mana ?? 0;
        return limits.ManaPerDay > 0 && spent + escrow > limits.ManaPerDay
            ? new Refusal(
                "QUOTA_MANA_PER_DAY",
                $"{what} {who} may spend {limits.ManaPerDay} mana a day; {spent} is taken, this job holds {escrow}")
            : null;
    }

    private void Add(JobId job, Did submitter, string? space, long escrow, DateTimeOffset at)
    {
        string[] names = space is null ? [$"submitter {submitter}"] : [$"submitter {submitter}", $"namespace {space}"];
        _taken[job] = new Taken(names, at);
        foreach (var name in names)
        {
            if (!_ledgers.TryGetValue(name, out var ledger))
            {
                _ledgers.Add(name, ledger = new Ledger());
            }

            ledger.Open++;
            ledger.Add(job, at, escrow, at - Day);
        }
    }

    private void Forget(JobId job, bool isEnd)
    {
        if (!_taken.Remove(job, out var taken))
        {
            return;
        }

        foreach (var name in taken.Names)
        {
            _ledgers[name].Open--;
            if (!isEnd)
            {
                _ledgers[name].Remove(job);
            }
        }
    }

    private sealed record Taken(string[] Names, DateTimeOffset At);

    private sealed class Ledger
    {
        private readonly List<(JobId Job, DateTimeOffset At, long Mana)> _day = [];

        public long Open { get; set; }

        public void Add(JobId job, DateTimeOffset at, long mana, DateTimeOffset forgetBefore)
        {
            // In batches, so that a long list is not moved for each submission.
            if (_day.Count > 64 && _day[_day.Count / 2].At < forgetBefore)
            {
                _day.RemoveAll(one => one.At < forgetBefore);
            }

            _day.Add((job, at, mana));
        }

        public void Remove(JobId job) => _day.RemoveAll(one => one.Job == job);

        public (long Jobs, long Mana) Since(DateTimeOffset time)
        {
            var (jobs, mana) = (0L, 0L);
            for (var i = _day.Count - 1; i >= 0; i--)
            {
                if (_day[i].At > time)
                {
                    jobs++;
                    mana += _day[i].Mana;
                }
            }

            return (jobs, mana);
        }
    }
}
