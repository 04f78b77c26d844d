using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Projections;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger projections list|rebuild</c>.</summary>
internal static class ProjectionsCommands
{
    private static readonly Argument<string[]> Which = NewNames();

    public static Command Create() => new("projections", "The read models that are derived from the ledger.")
    {
        new Verb("list", "List the projections and how far each has read.", "meshledger projections list").Does(ListAsync),
        new Verb(
            "rebuild", "Drop projections and build them again from the first event. Safe while the node runs.",
            "meshledger projections rebuild", "meshledger projections rebuild job_status")
        {
            Which,
        }.Does(RebuildAsync),
    };

    private static async Task<int> ListAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var rows = (await ledger.Projections.ListAsync(call.Stop)).Select(projection => new JsonObject
        {
            ["name"] = projection.Name,
            ["position"] = projection.Position,
            ["head"] = projection.Head,
            ["behind"] = projection.Head - projection.Position,
        }).ToList();
        call.Output.Rows(
            rows,
            [
                Column.Of("name"), Column.Of("position", right: true), Column.Of("head", right: true),
                Column.Of("behind", right: true),
            ],
            "");
        return ExitCodes.Ok;
    }

    private static async Task<int> RebuildAsync(Call call)
    {
        var names = call.Get(Which) is { Length: > 0 } given ? given : [.. ProjectionSet.Names];
        if (names.FirstOrDefault(name => !ProjectionSet.Names.Contains(name)) is { } unknown)
        {
            throw new CommandFailure(
                ExitCodes.Usage,
                $"there is no projection '{unknown}': expected {string.Join(", ", ProjectionSet.Names)}.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        foreach (var name in names)
        {
            await ledger.Projections.RebuildAsync(name, progress: null, call.Stop);
            Messages.Say($"rebuilt {name}");
        }

        return await ListAsync(call);
    }

    private static Argument<string[]> NewNames()
    {
        var names = new Argument<string[]>("NAME")
        {
            Description = $"{string.Join(", ", ProjectionSet.Names)}; without one, all.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        names.CompletionSources.Add([.. ProjectionSet.Names]);
        return names;
    }
}
