using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.EventIndex;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Jobs;

namespace MeshLedger.Tools.Queries;

/// <summary><c>meshledger query</c>: events by what they are and of which jobs, found by the index of events.</summary>
internal static class QueryCommand
{
    private const int DefaultLimit = 100;
    private const int MostRows = 10_000;

    /// <summary>Events that are read at once where each is written by itself.</summary>
    private const int AtOnce = 50;

    /// <summary>Longer data is cut in a table.</summary>
    private const int DataLength = 100;

    private static readonly Option<string?> Stream = GlobalOptions.NotEmpty(new Option<string?>("--stream")
    {
        Description = "Of this stream; with * at the end, of all whose names begin so.",
        HelpName = "STREAM",
    });

    private static readonly Option<string?> JobOption = new("--job") { Description = "Of this job's stream.", HelpName = "ID" };

    private static readonly Option<string[]> Types = NewTypes();

    private static readonly Option<string[]> Authors = Several(
        "--by", "WHO", "By this author: a key, whole or shortened as it is shown; a worker's id, a node's name, or the name of a key of "
        + "this data directory, such as submitter; one of them if repeated.");

    private static readonly Option<string?> Operation = GlobalOptions.NotEmpty(new Option<string?>("--operation")
    {
        Description = "Of jobs with this operation.",
        HelpName = "NAME",
    });

    private static readonly Option<string?> Namespace = GlobalOptions.NotEmpty(new Option<string?>("--namespace")
    {
        Description = "Of jobs in this namespace.",
        HelpName = "NAME",
    });

    private static readonly Option<string[]> Labels = Several(
        "--label", "KEY=VALUE", "Of jobs with this label in their document's metadata; all of them if repeated.");

    private static readonly Option<string?> Text = GlobalOptions.NotEmpty(new Option<string?>("--text")
    {
        Description = "Of jobs whose document has all of these words, in member names, strings or numbers. A word is a run of "
            + "letters and digits, at most 64, whatever its case; one with * behind it stands for all that begin so.",
        HelpName = "WORDS",
    });

    private static readonly Option<DateTimeOffset?> From = TimeOption.Create(
        "--from", $"Signed at this time or later, by the author's clock: 2026-11-21T10:00Z; {TimeOption.Midnight}.");

    private static readonly Option<DateTimeOffset?> To = TimeOption.Create(
        "--to", $"Signed before this time: {TimeOption.Midnight}, so that day is not in it.");

    private static readonly Option<long?> After = GlobalOptions.Number(
        "--after", "Behind this position of the log: the last one of the page before.", 0L, long.MaxValue);

    private static readonly Option<long?> Before = GlobalOptions.Number(
        "--before", "Before this position of the log.", 1L, long.MaxValue);

    private static readonly Option<int?> Limit = GlobalOptions.Number(
        "--limit", $"At most this many, up to {MostRows} (default: {DefaultLimit}); what is behind comes with --after.", 1, MostRows);

    private static readonly Option<bool> Newest = new("--newest") { Description = "The newest first; page on with --before." };

    public static Command Create() => new Verb(
        "query",
        "Find events. All that is asked for must be so; events of jobs are those of the jobs' own streams. Answered from an "
        + "index, the read model event_index, and shown as they are stored: audit checks them.",
        "meshledger query --type job_failed --newest --limit 10",
        "meshledger query --operation vm.execute --label team=blue --from 2026-11-21 --output csv",
        "meshledger query --by alpha --type receipt_issued --after 4711 --output jsonl",
        "meshledger query --text \"debian inspect*\"")
    {
        Options =
        {
            Stream, JobOption, Types, Authors, Operation, Namespace, Labels, Text, From, To, After, Before, Limit, Newest,
        },
    }.AlsoWriting(OutputFormat.Csv).Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var filter = Read(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        await ledger.Projections.CatchUpAsync("event_index", call.Stop);
        var (names, authors) = (default(AuthorNames), call.Get(Authors) ?? []);
        if (call.Output.IsText || authors.Length > 0)
        {
            names = await AuthorNames.LoadAsync(ledger, call.Stop);
            var keys = new List<string>();
            foreach (var author in authors)
            {
                keys.AddRange(await names.KeysOfAsync(author, ledger, call.Data, call.Stop));
            }

            filter = filter with { Authors = [.. keys.Distinct()] };
        }

        var page = await new EventSearch(ledger.Database).FindAsync(filter, call.Stop);
        if (call.Output.IsText || call.Output.Format == OutputFormat.Json)
        {
            await ShowAsync(call, ledger, page, names);
        }
        else
        {
            await WriteAsync(call, ledger, page);
        }

        // JSON says the same; a page of lines that is full has perhaps more behind it, and who pages finds out.
        if (call.Output.IsText && page.Positions.Count > 0)
        {
            call.Output.Flush();
            Messages.Say(page.More
                ? $"There are more: {(filter.NewestFirst ? "--before" : "--after")} {page.Positions[^1]}"
                : $"That is all up to position {page.IndexedTo}.");
        }

        return ExitCodes.Ok;
    }

    private static async Task ShowAsync(Call call, LedgerSession ledger, EventPage page, AuthorNames? names)
    {
        var rows = (await StoredEvents.ReadAsync(ledger.Database, page.Positions, call.Stop)).Select(EventRows.Of).ToList();
        if (call.Output.IsText)
        {
            call.Output.Rows(rows, Columns(names!), $"No such event up to position {page.IndexedTo}.");
            return;
        }

        call.Output.Document(new JsonObject
        {
            ["indexed_to"] = page.IndexedTo,
            ["more"] = page.More,
            ["events"] = new JsonArray([.. rows]),
        });
    }

    /// <summary>A line each, some at a time: an event may have a megabyte.</summary>
    private static async Task WriteAsync(Call call, LedgerSession ledger, EventPage page)
    {
        var csv = call.Output.Format == OutputFormat.Csv;
        if (csv)
        {
            call.Output.CsvHeader(EventRows.Members);
        }

        foreach (var positions in page.Positions.Chunk(AtOnce))
        {
            var rows = (await StoredEvents.ReadAsync(ledger.Database, positions, call.Stop)).Select(EventRows.Of).ToList();
            if (csv)
            {
                call.Output.CsvRows(rows, EventRows.Members);
            }
            else
            {
                call.Output.Rows(rows, [], "");
            }
        }
    }

    private static EventFilter Read(Call call)
    {
        var stream = call.Get(Stream);
        if (call.Get(JobOption) is { } job)
        {
            if (stream is not null)
            {
                throw new CommandFailure(ExitCodes.Usage, "--job and --stream both name a stream: give one of them.");
            }

            stream = StreamId.OfJob(JobWaitCommand.ParseId(job)).ToString();
        }

        if (stream is not null && stream != "*" && !StreamId.TryParse(stream.EndsWith('*') ? stream[..^1] : stream, out _))
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--stream: no stream has such a name: expected letters, digits and . _ : - (at most {StreamId.MaxLength}), "
                + $"with * at the end alone, found '{SafeText.Cut(SafeText.Line(stream), 80)}'.");
        }

        if (call.Get(Before) <= call.Get(After))
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--before {call.Get(Before)} is not behind --after {call.Get(After)}: nothing is between them.");
        }

        TimeOption.RequireInterval(call.Get(From), call.Get(To));
        var text = call.Get(Text);
        if (text is not null && !EventFilter.HasWords(text))
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--text: expected words of letters and digits, at most 64 each, found '{SafeText.Cut(text, 80)}'.");
        }

        return new EventFilter
        {
            Stream = stream,
            Types = call.Get(Types) ?? [],
            Operation = call.Get(Operation),
            Namespace = call.Get(Namespace),
            Labels = call.Get(Labels) ?? [],
            Text = text,
            From = call.Get(From),
            To = call.Get(To),
            After = call.Get(After) ?? 0,
            Before = call.Get(Before) ?? long.MaxValue,
            Limit = call.Get(Limit) ?? DefaultLimit,
            NewestFirst = call.Get(Newest),
        };
    }

    private static Column[] Columns(AuthorNames names) =>
    [
        Column.Of("position", right: true, heading: "POS"), Column.Of("time"),
        Column.Of("stream"), Column.Of("version", right: true, heading: "VER"), Column.Of("type"),
        new("BY", row => names.Author(row.Text("by"))),
        new("DATA", row => SafeText.Cut(row["data"] is { } data ? SafeText.Line(Output.OneLineOf(data)) : "", DataLength), Free: true),
    ];

    private static Option<string[]> Several(string name, string value, string description)
    {
        var option = new Option<string[]>(name) { Description = description, HelpName = value };
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
            {
                if (token.Value.Length == 0 || (value == "KEY=VALUE" && token.Value.IndexOf('=', StringComparison.Ordinal) <= 0))
                {
                    result.AddError($"{name}: expected {value}, found '{token.Value}'.");
                }
            }
        });
        return option;
    }

    private static Option<string[]> NewTypes()
    {
        var types = new Option<string[]>("--type")
        {
            Description = "Of this type, such as job_failed; one of them if repeated.",
            HelpName = "TYPE",
        };
        var known = EventCodec.Kinds.Select(kind => kind.Type).ToArray();
        types.CompletionSources.Add(known);
        types.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !known.Contains(token.Value)))
            {
                result.AddError($"--type: there is no type '{token.Value}': expected {string.Join(", ", known)}.");
            }
        });
        return types;
    }
}
