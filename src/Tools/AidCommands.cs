using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MeshLedger.Domain;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger aid request|template|list|matches</c>: mutual aid, paid by the ledger's pool.</summary>
internal static class AidCommands
{
    private static readonly Option<string[]> Tags = new("--tag")
    {
        Description = "What it is about; compared letter by letter. May be given several times.",
        HelpName = "TAG",
        Required = true,
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Parameters = new("--parameters")
    {
        Description = "A JSON object, or @FILE; its members replace those of the template's payload.data (default: {}).",
        HelpName = "JSON|@FILE",
    };

    private static readonly Argument<string> File = new("FILE")
    {
        Description = "A job document without job_id and created_at, which a match fills in; - is standard input.",
    };

    private static readonly Option<string> Name = new("--name")
    {
        Description = "What people call the template.",
        HelpName = "NAME",
        Required = true,
    };

    private static readonly Argument<string> Id = new("ID") { Description = "A template of this data directory's submitter." };

    public static Command Create() => new("aid", "Mutual aid: ask for something by tags, or offer what to do about it.")
    {
        new Verb(
            "request",
            "Ask for aid. The template that shares most tags answers, of equals the oldest: a node submits its job, which "
            + "has the request's id and is paid by the node's pool.",
            "meshledger aid request --tag greeting --parameters '{\"name\":\"Ada\"}'",
            "meshledger aid request --tag resize --tag png --parameters @parameters.json")
        {
            Tags, Parameters,
        }.Does(RequestAsync),
        new Command("template", "What is done about requests.")
        {
            new Verb(
                "add", "Offer a job document as the answer to requests that share a tag.",
                "meshledger aid template add greet.json --name greet --tag greeting")
            {
                File, Name, Tags,
            }.Does(AddAsync),
            new Verb(
                "withdraw", "Withdraw a template: it answers no more.",
                "meshledger aid template withdraw aid-01KAJ3ZK7M3Q8X4T6V2N9B5CDE")
            {
                Id,
            }.Does(WithdrawAsync),
        },
        new Verb("list", "List all requests and templates, oldest first.", "meshledger aid list").Does(ListAsync),
        new Verb(
            "matches", "List the open requests that have a template, each with the one that answers it.",
            "meshledger aid matches").Does(MatchesAsync),
    };

    private static async Task<int> RequestAsync(Call call)
    {
        var tags = TagsOf(call);
        var parameters = (call.Get(Parameters) switch
        {
            null => [],
            ['@', .. var file] => JsonObjectOf(await InputFile.ReadTextAsync(file, call.Stop), file, ExitCodes.Usage),
            var json => JsonObjectOf(json, "--parameters", ExitCodes.Usage),
        }).ToJsonString();
        if (parameters.Length > AidBoard.MaxParametersLength)
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--parameters: expected at most {AidBoard.MaxParametersLength} characters.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var head = await ledger.Store.HeadAsync(call.Stop);
        var stream = await SayAsync(call, ledger, new AidEvent.Requested(tags, parameters));
        var (template, isAnswered) = await AidAnswer.AwaitAsync(call, ledger, stream, head);
        call.Output.Object(
            new JsonObject
            {
                ["id"] = stream.ToString(),
                ["job_id"] = stream.ToString(),
                ["state"] = isAnswered ? "answered" : "open",
                ["template"] = template,
            },
            () => call.Output.Line(stream.ToString()));
        if (call.Output.IsText)
        {
            Messages.Say(
                template is null ? "No template shares a tag yet; the request stays open."
                : isAnswered ? $"Template {template} answers: meshledger job show {stream}"
                : $"Template {template} fits; a node that runs answers with its job: meshledger aid list");
        }

        return ExitCodes.Ok;
    }

    private static async Task<int> AddAsync(Call call)
    {
        var file = call.Get(File)!;
        var document = JsonObjectOf(await InputFile.ReadTextAsync(file, call.Stop), file, ExitCodes.Failed);
        document.Remove("job_id");
        document.Remove("created_at");
        var submitter = SignerKeys.Submitter(call.Data);
        var template = new AidEvent.TemplateRegistered(call.Get(Name)!, TagsOf(call), document.ToJsonString());
        Check(template, submitter, file);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var stream = await SayAsync(call, ledger, template);
        call.Output.Object(
            new JsonObject { ["id"] = stream.ToString(), ["name"] = template.Name, ["tags"] = Names.List(template.Tags) },
            () => call.Output.Line(stream.ToString()));
        return ExitCodes.Ok;
    }

    private static async Task<int> WithdrawAsync(Call call)
    {
        var text = call.Get(Id)!;
        if (!StreamId.TryParse(text.StartsWith("aid-", StringComparison.Ordinal) ? text : $"aid-{text}", out var stream)
            || !stream.IsAid(out _))
        {
            throw new CommandFailure(ExitCodes.Usage, $"'{text}' is no template's id: expected aid- and {Ulid.Expected}.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var submitter = SignerKeys.Submitter(call.Data);
        var isSo = false;
        var refusal = await new Clerk(ledger.Store).SayAsync(
            submitter, stream,
            registry =>
            {
                var template = registry.Aid.Templates.FirstOrDefault(template => template.Stream == stream)
                    ?? throw new CommandFailure(ExitCodes.NotFound, $"there is no template {stream} in this ledger.");
                isSo = template.IsWithdrawn && template.By == submitter.Did;
                return isSo ? null : (new AidEvent.TemplateWithdrawn(), template.Digest);
            },
            call.Stop);
        if (refusal is not null)
        {
            throw new CommandFailure(ExitCodes.Failed, $"template {stream} is not withdrawn: {refusal}");
        }

        call.Output.Object(
            new JsonObject { ["id"] = stream.ToString(), ["withdrawn"] = true, ["changed"] = !isSo },
            () => call.Output.Line($"{stream}: withdrawn{(isSo ? " already" : "")}"));
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var board = (await ledger.LoadRegistryAsync(call.Stop)).Aid;
        var rows = board.Requests.Select(request => new JsonObject
        {
            ["id"] = request.Stream.ToString(),
            ["kind"] = "request",
            ["state"] = request.Job is null ? "open" : "answered",
            ["name"] = null,
            ["tags"] = Names.List(request.Tags),
            ["by"] = request.By.ToString(),
            ["at"] = Timestamps.Write(request.At),
            ["job_id"] = request.Job?.ToString(),
            ["parameters"] = JsonNode.Parse(request.Parameters),
        }).Concat(board.Templates.Select(template => new JsonObject
        {
            ["id"] = template.Stream.ToString(),
            ["kind"] = "template",
            ["state"] = template.IsWithdrawn ? "withdrawn" : "offered",
            ["name"] = template.Name,
            ["tags"] = Names.List(template.Tags),
            ["by"] = template.By.ToString(),
            ["at"] = Timestamps.Write(template.At),
            ["document"] = JsonNode.Parse(template.Document),
        })).OrderBy(row => row.Text("at"), StringComparer.Ordinal).ToList();
        call.Output.Rows(
            rows,
            [
                Column.Of("id"), Column.Of("kind"), Column.Of("state"), Column.Of("name"), Column.Of("tags"),
                Column.Of("job_id", heading: "JOB"), new("BY", row => Names.Short(row.Text("by"))),
            ],
            "Nobody has asked for aid or offered it yet.");
        return ExitCodes.Ok;
    }

    private static async Task<int> MatchesAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var rows = (await ledger.LoadRegistryAsync(call.Stop)).Aid.Matches().Select(match => new JsonObject
        {
            ["request"] = match.Request.Stream.ToString(),
            ["template"] = match.Template.Stream.ToString(),
            ["name"] = match.Template.Name,
            ["shared_tags"] = Names.List(match.Template.Tags.Intersect(match.Request.Tags, StringComparer.Ordinal)),
            ["operation"] = JsonNode.Parse(match.Template.Document)?["operation"]?.ToString(),
        }).ToList();
        call.Output.Rows(
            rows,
            [
                Column.Of("request"), Column.Of("template"), Column.Of("name"), Column.Of("shared_tags"),
                Column.Of("operation"),
            ],
            "No open request has a template.");
        return ExitCodes.Ok;
    }

    /// <summary>Begins a request or a template.</summary>
    private static async Task<StreamId> SayAsync(Call call, LedgerSession ledger, AidEvent body)
    {
        var stream = StreamId.OfAid(new UlidFactory(TimeProvider.System, RandomNumberGenerator.Fill).New());
        var refusal = await new Clerk(ledger.Store).SayAsync(
            SignerKeys.Submitter(call.Data), stream, _ => (body, null), call.Stop);
        return refusal is null ? stream : throw new CommandFailure(ExitCodes.Failed, $"nothing was recorded: {refusal}");
    }

    /// <exception cref="CommandFailure">No request without parameters could be answered by the template.</exception>
    private static void Check(AidEvent.TemplateRegistered template, EventAuthor author, string file)
    {
        var now = TimeProvider.System.GetUtcNow();
        var reading = AidBoard.Fill(
            new AidTemplate(default, default, author.Did, now, template.Name, template.Tags, template.Document, false),
            new AidRequest(default, default, author.Did, now, template.Tags, "{}", null),
            JobId.Parse("aid-template"), now);
        foreach (var fault in reading.Faults)
        {
            Messages.Say($"{file}: {fault}");
        }

        if (!reading.IsValid)
        {
            throw new CommandFailure(ExitCodes.Failed, "the template was not added.");
        }
    }

    private static ValueList<string> TagsOf(Call call)
    {
        var tags = ValueList.From(call.Get(Tags)!.Distinct());
        return tags.Count <= AidBoard.MaxTags && tags.All(tag => tag.Length is >= 1 and <= AidBoard.MaxTagLength)
            ? tags
            : throw new CommandFailure(
                ExitCodes.Usage, $"--tag: expected 1 to {AidBoard.MaxTags} tags of 1 to {AidBoard.MaxTagLength} characters.");
    }

    private static JsonObject JsonObjectOf(string json, string what, int exitCode)
    {
        try
        {
            return JsonNode.Parse(json, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject
                ?? throw new CommandFailure(exitCode, $"{what}: expected a JSON object.");
        }
        catch (System.Text.Json.JsonException)
        {
            throw new CommandFailure(
                exitCode, $"{what} is no JSON: {JsonSyntax.Explain(Encoding.UTF8.GetBytes(json))}.");
        }
    }
}
