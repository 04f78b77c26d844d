using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger account show|list</c>: all accounts with their totals, or one.</summary>
internal static class AccountCommands
{
    private static readonly string[] Figures = ["granted", "regenerated", "balance", "escrow", "paid", "received"];

    private static readonly Argument<string?> Owner = new("OWNER")
    {
        Description = "The owner's key, whole or shortened as it is shown, a worker's id, or the name of a key of this data directory, such as "
            + "submitter; without it, all accounts.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create() => new("account", "See who has how much mana.")
    {
        new Verb(
            "show", "Show accounts, in mana. Granted, regenerated and received equals balance, escrow and paid.",
            "meshledger account show", "meshledger account show submitter",
            "meshledger account show did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
        {
            Owner,
        }.Does(call => RunAsync(call, call.Get(Owner))),
        new Verb(
            "list", "List all accounts with their totals.",
            "meshledger account list", "meshledger account list --output jsonl").Does(call => RunAsync(call, null)),
    };

    private static async Task<int> RunAsync(Call call, string? wanted)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        await ledger.Projections.CatchUpAsync(call.Stop);
        var names = Names.Of(await ledger.LoadRegistryAsync(call.Stop));
        var rows = await Sql.RowsAsync(
            ledger.Database,
            "SELECT owner, granted, regenerated, balance, escrow, paid, received FROM accounts ORDER BY granted DESC, owner", [], call.Stop);
        var pool = File.Exists(call.Data.KeyFile("pool")) ? SigningKey.Load(call.Data.KeyFile("pool")).Did : default;
        foreach (var row in rows)
        {
            var owner = Did.Parse(row.Text("owner"));
            row.Insert(1, "name", owner == pool ? "pool" : names.Role(owner));
        }

        if (wanted is not null)
        {
            rows = Meant(rows, wanted, call.Data);
        }

        Column[] columns =
        [
            new("OWNER", row => Names.Short(row.Text("owner"))), Column.Of("name"),
            .. Figures.Select(figure => Column.Of(figure, right: true)),
        ];
        if (!call.Output.IsText || wanted is not null)
        {
            call.Output.Rows(rows, columns, "");
            return ExitCodes.Ok;
        }

        var totals = new JsonObject { ["owner"] = "total", ["name"] = Names.Count(rows.Count, "account") };
        foreach (var figure in Figures)
        {
            totals[figure] = rows.Sum(row => row[figure]!.GetValue<long>());
        }

        call.Output.Rows(rows.Count == 0 ? [] : [.. rows, totals], columns, "No account was opened yet.");
        return ExitCodes.Ok;
    }

    /// <summary>The accounts of all who are called so; a worker's id may be that of several.</summary>
    private static List<JsonObject> Meant(IReadOnlyList<JsonObject> rows, string wanted, DataDirectory data)
    {
        var called = rows.Where(row => row.Text("name") == wanted && wanted.StartsWith("worker ", StringComparison.Ordinal)
            || row.Text("name") == $"worker {wanted}").ToList();
        if (called.Count > 0)
        {
            return called;
        }

        var owner = KnownKeys.Find("OWNER", wanted, [.. rows.Select(row => row.Text("owner"))], data);
        var found = rows.Where(row => row.Text("owner") == owner).ToList();
        return found.Count > 0
            ? found
            : throw new CommandFailure(
                ExitCodes.NotFound,
                $"'{SafeText.Cut(SafeText.Line(wanted), 80)}' has no account in this ledger: expected a key, whole or shortened as it is shown, a worker's id, "
                + "or the name of a key of this data directory. All accounts, with their keys: meshledger account list --output json.");
    }
}
