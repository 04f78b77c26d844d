using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.AsOf;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Replay;

/// <summary><c>meshledger state</c>: the whole ledger as it was.</summary>
internal static class StateCommand
{
    private static readonly Option<string?> At = PointInTime.NewOption(
        "As of this point (default: now):", PointInTime.ExpectedOfLedger);

    private static readonly Argument<string[]> Parts = new("PART")
    {
        Description = $"{string.Join(", ", StateView.Parts)}; all of them without any.",
        HelpName = "PART",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Command Create() => new Verb(
        "state",
        "Show the whole ledger as it was: folded from its first event up to that point, each verified. Needs no read model.",
        "meshledger state --at position:4711", "meshledger state accounts workers --at 2026-11-21T12:00:00Z --output json")
    {
        Parts, At,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var at = call.Get(At) is { } text ? PointInTime.Parse("--at", text, hasVersions: false) : null;
        var asked = call.Get(Parts) is { Length: > 0 } some ? some.Distinct().ToList() : [.. StateView.Parts];
        if (asked.Find(part => !StateView.Parts.Contains(part)) is { } unknown)
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"PART: expected one of {string.Join(", ", StateView.Parts)}, found '{SafeText.Line(unknown)}'.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var head = await ledger.Store.HeadAsync(call.Stop);
        if (at?.Position > head)
        {
            throw new CommandFailure(ExitCodes.NotFound, $"--at: the log ends at position {head}.");
        }

        var progress = Console.IsErrorRedirected ? null : new Progress(at?.Position ?? head);
        var state = await LedgerAsOf.FoldAsync(ledger.Store, at?.Position ?? head, at?.Time, progress, call.Stop);
        progress?.End();

        // Points are what is left of a score at a time: that which was asked for, else that of the last event.
        var view = new StateView(state, at?.Time ?? (at is null ? TimeProvider.System.GetUtcNow() : state.AppendedAt));
        var json = new JsonObject
        {
            ["at"] = at?.ToString(),
            ["position"] = state.Position,
            ["appended_at"] = state.Position == 0 ? null : Timestamps.Write(state.AppendedAt),
        };
        foreach (var part in asked)
        {
            json[part] = view.Of(part);
        }

        if (asked.Contains("jobs"))
        {
            json["findings"] = view.Findings();
        }

        call.Output.Object(json, () =>
        {
            call.Output.Line(state.Position == 0
                ? "Before the first event: the ledger was empty."
                : $"After position {state.Position}, appended {json.Text("appended_at")}");
            foreach (var part in asked)
            {
                call.Output.Line();
                call.Output.Line(part);
                StateView.Write(call.Output, part, json[part]!);
            }

            if (json["findings"] is JsonObject findings)
            {
                call.Output.Line();
                call.Output.Line($"receipts found right {findings.Text("verified")}, wrong {findings.Text("disputed")}");
            }
        });
        return ExitCodes.Ok;
    }

    /// <summary>One line that counts, on a terminal.</summary>
    private sealed class Progress(long total) : IProgress<long>
    {
        private bool _hasReported;

        public void Report(long value)
        {
            _hasReported = true;
            Console.Error.Write($"\rfolded {value} of {total} events");
        }

        public void End()
        {
            if (_hasReported)
            {
                Console.Error.WriteLine();
            }
        }
    }
}
