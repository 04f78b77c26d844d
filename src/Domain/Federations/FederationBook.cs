using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Federations;

/// <summary>Who is a member of what, as of any position of the log. Safe for concurrent use.</summary>
public sealed class FederationBook
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Did> _founders = [];
    private readonly Dictionary<Did, List<Change>> _changes = [];
    private volatile bool _isEmpty = true;

    /// <summary>The federations and the keys that speak for them, by name.</summary>
    public IReadOnlyList<(string Name, Did Key)> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _founders.Select(pair => (pair.Key, pair.Value)).OrderBy(pair => pair.Key, StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>The members of a federation as of now.</summary>
    public IReadOnlyList<(Did Member, Membership Membership)> Members(string federation)
    {
        List<Did> known;
        lock (_lock)
        {
            known = [.. _changes.Keys];
        }

        return [.. known.SelectMany(member => Of(member, long.MaxValue)
            .Where(membership => membership.Federation == federation)
            .Select(membership => (member, membership)))];
    }

    /// <summary>The memberships of a worker as of a position.</summary>
    public IReadOnlyList<Membership> Of(Did member, long asOf)
    {
        if (_isEmpty)
        {
            return [];
        }

        lock (_lock)
        {
            if (!_changes.TryGetValue(member, out var changes))
            {
                return [];
            }

            var memberships = new Dictionary<string, Membership?>();
            foreach (var change in changes)
            {
                if (change.Position <= asOf)
                {
                    memberships[change.Federation] = change.Granted;
                }
            }

            return [.. memberships.Values.OfType<Membership>().OrderBy(one => one.Federation, StringComparer.Ordinal)];
        }
    }

    /// <summary>Why an event may not stand where it stands; null if it may.</summary>
    public Refusal? Check(Statement statement, FederationEvent body, long version)
    {
        if (!statement.Stream.IsFederation(out var name))
        {
            return new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}");
        }

        if (body is FederationEvent.Founded founded)
        {
            return version == 1 && founded.Name == name
                ? null
                : new Refusal("FOUNDED_ONCE", "a federation is founded once, by the first event of its stream");
        }

        Did founder;
        lock (_lock)
        {
            if (!_founders.TryGetValue(name, out founder))
            {
                return new Refusal("UNKNOWN_FEDERATION", $"there is no federation {name}");
            }
        }

        if (founder != statement.By)
        {
            return new Refusal("NOT_THE_FEDERATION", $"only the key of federation {name} may say this, not {statement.By}");
        }

        return body is FederationEvent.MembershipGranted granted && !granted.TrustScopes.All(FederationNames.IsValid)
            ? new Refusal("WRONG_SCOPE", $"a trust scope is {FederationNames.Expected}")
            : null;
    }

    /// <summary>Takes in an event that was checked, in log order.</summary>
    public void Apply(Statement statement, FederationEvent body, long position)
    {
        if (!statement.Stream.IsFederation(out var name))
        {
            return;
        }

        lock (_lock)
        {
            switch (body)
            {
                case FederationEvent.Founded:
                    _founders.TryAdd(name, statement.By);
                    break;
                case FederationEvent.MembershipGranted granted:
                    Add(granted.Member, new Change(position, name, new Membership(name, granted.TrustScopes)));
                    break;
                case FederationEvent.MembershipRevoked revoked:
                    Add(revoked.Member, new Change(position, name, null));
                    break;
            }
        }
    }

    private void Add(Did member, Change change)
    {
        _isEmpty = false;
        if (!_changes.TryGetValue(member, out var changes))
        {
            _changes.Add(member, changes = []);
        }

        changes.Add(change);
    }

    private sealed record Change(long Position, string Federation, Membership? Granted);
}
