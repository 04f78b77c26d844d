using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Nodes;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Workers;

namespace MeshLedger.Tools;

/// <summary><c>meshledger federation found|grant|revoke|list|show</c>: who vouches for which workers, and for what.
/// </summary>
internal static class FederationCommands
{
    private static readonly Argument<string> Name = new("NAME")
    {
        Description = $"A federation's name: {FederationNames.Expected}.",
    };

    private static readonly Argument<string> Worker = WorkerCommands.NewArgument();

    private static readonly Option<string[]> Scopes = new("--scope")
    {
        Description = "What the federation trusts the worker with, such as medical. May be given several times.",
        HelpName = "SCOPE",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Reason = new("--reason")
    {
        Description = "Why; it stays in the history.",
        HelpName = "TEXT",
    };

    private static readonly Option<string?> Key = new("--key")
    {
        Description = "The federation's key file (default: DATA/keys/federation-NAME.key).",
        HelpName = "FILE",
    };

    public static Command Create() => new("federation", "Who vouches for which workers, and for what.")
    {
        new Verb(
            "found",
            "Found a federation: the name belongs to its key from now on. Without --key the key is made if it is not there.",
            "meshledger federation found hospitals", "meshledger federation found hospitals --key hospitals.key")
        {
            Name, Key,
        }.Does(FoundAsync),
        new Verb(
            "grant", "Make a worker a member, with these scopes and no others. Jobs may ask for NAME, or for NAME/SCOPE.",
            "meshledger federation grant hospitals alpha --scope medical --scope eu")
        {
            Name, Worker, Scopes, Key,
        }.Does(GrantAsync),
        new Verb(
            "revoke", "End a worker's membership.", "meshledger federation revoke hospitals alpha --reason 'left'")
        {
            Name, Worker, Reason, Key,
        }.Does(RevokeAsync),
        new Verb("list", "List all federations.", "meshledger federation list").Does(ListAsync),
        new Verb("show", "Show a federation's key and its members.", "meshledger federation show hospitals")
        {
            Name,
        }.Does(ShowAsync),
    };

    private static async Task<int> FoundAsync(Call call)
    {
        var name = NameOf(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        if (call.Get(Key) is null)
        {
            call.Data.Make();
            SigningKey.LoadOrCreate(call.Data.KeyFile(KeyName(name)));
        }

        var key = await SayAsync(call, ledger, name, _ => new FederationEvent.Founded(name));
        call.Output.Object(
            new JsonObject { ["name"] = name, ["key"] = key.ToString() },
            () => call.Output.Line($"{name}: founded by {key}"));
        return ExitCodes.Ok;
    }

    private static async Task<int> GrantAsync(Call call)
    {
        var name = NameOf(call);
        var scopes = ValueList.From((call.Get(Scopes) ?? []).Distinct().Order(StringComparer.Ordinal));
        if (scopes.FirstOrDefault(scope => !FederationNames.IsValid(scope)) is { } wrong)
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--scope: '{wrong}' is no trust scope: expected {FederationNames.Expected}.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        await CheckKeyAsync(call, ledger, name);
        var member = await MemberAsync(call, ledger);
        await SayAsync(call, ledger, name, registry =>
            registry.Memberships(member, long.MaxValue).Contains(new Membership(name, scopes))
                ? null
                : new FederationEvent.MembershipGranted(member, scopes));
        return await TellAsync(call, ledger, name, member);
    }

    private static async Task<int> RevokeAsync(Call call)
    {
        var name = NameOf(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        await CheckKeyAsync(call, ledger, name);
        var member = await MemberAsync(call, ledger);
        await SayAsync(call, ledger, name, registry =>
            registry.Memberships(member, long.MaxValue).Any(membership => membership.Federation == name)
                ? new FederationEvent.MembershipRevoked(member, call.Get(Reason) ?? "")
                : throw new CommandFailure(ExitCodes.NotFound, $"{call.Get(Worker)} is no member of federation {name}."));
        return await TellAsync(call, ledger, name, member);
    }

    private static async Task<int> ListAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var book = (await ledger.LoadRegistryAsync(call.Stop)).Federations;
        var rows = book.All.Select(federation => new JsonObject
        {
            ["name"] = federation.Name,
            ["key"] = federation.Key.ToString(),
            ["members"] = book.Members(federation.Name).Count,
        }).ToList();
        call.Output.Rows(
            rows,
            [
                Column.Of("name", heading: "FEDERATION"), Column.Of("members", right: true),
                new("KEY", row => Names.Short(row.Text("key"))),
            ],
            "No federation was founded yet.");
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(Call call)
    {
        var name = NameOf(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var known = registry.Federations.All.FirstOrDefault(federation => federation.Name == name);
        if (known.Name is null)
        {
            throw Unknown(name);
        }

        var members = registry.Federations.Members(name)
            .Select(member => Row(registry, member.Member, member.Membership))
            .OrderBy(row => row.Text("worker_id"), StringComparer.Ordinal)
            .ThenBy(row => row.Text("worker"), StringComparer.Ordinal).ToList();
        var json = new JsonObject
        {
            ["name"] = name,
            ["key"] = known.Key.ToString(),
            ["members"] = new JsonArray([.. members]),
        };
        call.Output.Object(json, () =>
        {
            call.Output.Pairs([("federation", name), ("key", known.Key.ToString())]);
            if (members.Count > 0)
            {
                call.Output.Line();
                call.Output.Table(
                    members,
                    [
                        Column.Of("worker_id", heading: "MEMBER"), Column.Of("trust_scopes"),
                        Column.Of("worker", heading: "KEY"),
                    ]);
            }
        });
        return ExitCodes.Ok;
    }

    private static async Task<int> TellAsync(Call call, LedgerSession ledger, string name, Did member)
    {
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var membership = registry.Memberships(member, long.MaxValue).FirstOrDefault(one => one.Federation == name);
        var row = Row(registry, member, membership);
        row.Insert(0, "federation", name);
        row["member"] = membership is not null;
        var who = row.Text("worker_id") is { Length: > 0 } id ? id : member.ToString();
        var scopes = membership is { TrustScopes.Count: > 0 } ? string.Join(", ", membership.TrustScopes) : "no scope";
        call.Output.Object(row, () => call.Output.Line(
            membership is null ? $"{who}: no longer a member of {name}" : $"{who}: member of {name}, trusted with {scopes}"));
        return ExitCodes.Ok;
    }

    private static JsonObject Row(Registry registry, Did member, Membership? membership) => new()
    {
        ["worker_id"] = registry.Worker(member)?.Facts.WorkerId,
        ["worker"] = member.ToString(),
        ["trust_scopes"] = Names.List(membership?.TrustScopes ?? []),
    };

    /// <summary>Says something with the federation's key; null says nothing.</summary>
    /// <returns>The key's name.</returns>
    private static async Task<Did> SayAsync(
        Call call, LedgerSession ledger, string name, Func<Registry, FederationEvent?> body)
    {
        var author = SignerKeys.Named(call.Get(Key), KeyName(name), call.Data);
        var refusal = await new Clerk(ledger.Store).SayAsync(
            author, StreamId.OfFederation(name), registry => body(registry) is { } said ? (said, null) : null, call.Stop);
        return refusal?.Code switch
        {
            null => author.Did,
            "UNKNOWN_FEDERATION" => throw Unknown(name),
            "FOUNDED_ONCE" => throw new CommandFailure(ExitCodes.Failed, $"federation {name} was founded before."),
            _ => throw new CommandFailure(ExitCodes.Failed, $"federation {name}: {refusal}"),
        };
    }

    /// <exception cref="CommandFailure">Nobody here can speak for the federation: it was not founded, or elsewhere.
    /// </exception>
    private static async Task CheckKeyAsync(Call call, LedgerSession ledger, string name)
    {
        if (call.Get(Key) is not null || File.Exists(call.Data.KeyFile(KeyName(name))))
        {
            return;
        }

        var all = (await ledger.LoadRegistryAsync(call.Stop)).Federations.All;
        throw all.Any(federation => federation.Name == name)
            ? new CommandFailure(
                ExitCodes.NotFound, $"federation {name} was founded elsewhere: its key is not {call.Data.KeyFile(KeyName(name))}. "
                + "Run this where it is, or give --key.")
            : Unknown(name);
    }

    private static CommandFailure Unknown(string name) => new(
        ExitCodes.NotFound, $"there is no federation {name} in this ledger. To found it: meshledger federation found {name}");

    /// <summary>A worker that registered, or any key: a federation may know a worker before the ledger does.</summary>
    private static async Task<Did> MemberAsync(Call call, LedgerSession ledger) => Did.TryParse(call.Get(Worker), out var key)
        ? key
        : WorkerView.Find(await ledger.LoadRegistryAsync(call.Stop), call.Get(Worker)!).Worker;

    private static string NameOf(Call call) => FederationNames.IsValid(call.Get(Name))
        ? call.Get(Name)!
        : throw new CommandFailure(
            ExitCodes.Usage, $"'{call.Get(Name)}' is no federation's name: expected {FederationNames.Expected}.");

    private static string KeyName(string federation) => $"federation-{federation}";
}
