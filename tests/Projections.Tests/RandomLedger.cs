using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Projections.EventIndex;

namespace MeshLedger.Projections.Tests;

/// <summary>Signed events without a story: jobs of several kinds, authors whose clocks differ by days, streams of every
/// length. And what a filter must find in them, by looking at each event.</summary>
internal sealed class RandomLedger
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);
    private static readonly string[] Names = ["alpha", "beta", "gamma"];
    private static readonly string[] Operations = ["system.echo", "vm.execute", "guestkit.inspect"];

    private readonly Random _random;
    private readonly SigningKey[] _authors = [.. Enumerable.Range(0, 4).Select(_ => SigningKey.Generate())];
    private readonly Dictionary<string, (JobEvent.Submitted Body, JobDocument Document)> _jobs = [];

    public RandomLedger(int seed, int events)
    {
        _random = new Random(seed);
        Events = [.. Enumerable.Range(0, events).SelectMany(Next)];
    }

    public SignedEvent[] Events { get; }

    public EventFilter NextFilter()
    {
        bool Sometimes() => _random.Next(5) == 0;
        var at = Events[_random.Next(Events.Length)].Statement;
        var job = _jobs.ElementAt(_random.Next(_jobs.Count));
        return new EventFilter
        {
            Stream = _random.Next(9) switch
            {
                0 => at.Stream.ToString(),
                1 => "job-*",
                2 => "account-*",
                3 => job.Key[..^_random.Next(1, 4)] + "*",
                _ => null,
            },
            Types = Sometimes() ? [at.Type, "job_cancelled"] : [],
            Authors = Sometimes() ? [at.By.ToString()] : [],
            Operation = Sometimes() ? Pick([.. Operations, "no.such"]) : null,
            Namespace = Sometimes() ? Pick(["team-0", "team-1", "nowhere"]) : null,
            Labels = Sometimes() ? ["zone=" + Pick(Names), .. Sometimes() ? ["odd=yes"] : Array.Empty<string>()] : [],
            Text = Sometimes() ? Pick(["ÜBER", "deb*", "debian 12", "system", "needle", $"{job.Value.Document.JobId}", "nothing"]) : null,
            From = Sometimes() ? at.Time : null,
            To = Sometimes() ? at.Time.AddHours(_random.Next(50)) : null,
            After = Sometimes() ? _random.Next(Events.Length) : 0,
            Before = Sometimes() ? _random.Next(Events.Length) : long.MaxValue,
            Limit = _random.Next(1, 60),
            NewestFirst = _random.Next(2) == 0,
        };
    }

    /// <summary>Every position that a filter asks for, oldest first, whatever its limit.</summary>
    public List<long> Matching(EventFilter filter) =>
        [.. Enumerable.Range(0, Events.Length).Where(i => Matches(filter, Events[i].Statement, i + 1)).Select(i => i + 1L)];

    private bool Matches(EventFilter filter, Statement said, long position)
    {
        var stream = said.Stream.ToString();
        if (position <= filter.After || position >= filter.Before
            || (filter.Types.Count > 0 && !filter.Types.Contains(said.Type))
            || (filter.Authors.Count > 0 && !filter.Authors.Contains(said.By.ToString()))
            || (filter.From is { } from && said.Time < from) || (filter.To is { } to && said.Time >= to)
            || (filter.Stream is { } wanted && !(wanted.EndsWith('*')
                ? stream.StartsWith(wanted[..^1], StringComparison.Ordinal) : stream == wanted)))
        {
            return false;
        }

        if (filter is { Operation: null, Namespace: null, Labels.Count: 0, Text: null })
        {
            return true;
        }

        return _jobs.TryGetValue(stream, out var job)
            && (filter.Operation is null || job.Body.Operation == filter.Operation)
            && (filter.Namespace is null || job.Body.Terms.Namespace == filter.Namespace)
            && filter.Labels.All(label => job.Document.Metadata.Labels.Any(pair => $"{pair.Key}={pair.Value}" == label))
            && (filter.Text is null || filter.Text.Split(' ').All(word => Holds(job.Body.Document, word)));
    }

    /// <summary>Words of the document as people see them: none here has an escape.</summary>
    private static bool Holds(string document, string word)
    {
        var words = new string([.. document.ToLowerInvariant().Select(letter => char.IsLetterOrDigit(letter) ? letter : ' ')])
            .Split(' ');
        var parts = word.TrimEnd('*').ToLowerInvariant().Split('-');
        return parts.All(part => words.Any(one =>
            word.EndsWith('*') ? one.StartsWith(part, StringComparison.Ordinal) : one == part));
    }

    private SignedEvent[] Next(int number)
    {
        var author = _authors[_random.Next(_authors.Length)];
        if (_jobs.Count == 0 || _random.Next(20) == 0)
        {
            return Say(author, Submit(number, author), $"job-random-{number:D5}", number);
        }

        if (_random.Next(10) == 0)
        {
            return Say(author, new AccountEvent.Opened(number, 0, 0), $"account-{author.Did}", number);
        }

        // The first job goes on for ever; others for a while.
        var stream = _random.Next(8) == 0 ? _jobs.Keys.First() : _jobs.Keys.ElementAt(Math.Max(0, _jobs.Count - _random.Next(1, 6)));
        LedgerEvent body = _random.Next(12) switch
        {
            0 => new JobEvent.CancelRequested("why not"),
            1 => new JobEvent.Cancelled(1, "any", [], 0),
            2 => new JobEvent.ExecutionStarted(1),
            _ => new JobEvent.LeaseRenewed(1),
        };
        return Say(author, body, stream, number);
    }

    private JobEvent.Submitted Submit(int number, SigningKey author)
    {
        var id = $"random-{number:D5}";
        var text = $$$"""
            {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T01:02:03Z","kind":"VMOperation","operation":"system.echo","metadata":{"namespace":"team-{{{number % 3}}}","labels":{"zone":"{{{Pick(Names)}}}"{{{(number % 2 == 1 ? ",\"odd\":\"yes\"" : "")}}}} },"payload":{"type":"system.echo.v1","data":["Debian {{{number % 20}}}", {{{number % 7}}}, "{{{(number % 9 == 0 ? "needle" : "über")}}}"] } }
            """;
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text)).Document!;
        var body = JobSubmission.Create(document, author.Did, "test", 100, 250) with { Operation = Pick(Operations) };
        _jobs.Add($"job-{id}", (body, document));
        return body;
    }

    private SignedEvent[] Say(SigningKey author, LedgerEvent body, string stream, int number)
    {
        // One clock is two days slow, and one an hour fast.
        var wrong = Array.IndexOf(_authors, author) switch { 0 => TimeSpan.FromDays(-2), 1 => TimeSpan.FromHours(1), _ => default };
        var time = Start.AddMinutes(number) + wrong;
        return SignedEvent.Sign(
            author, [EventCodec.State(body, author.Did, null, StreamId.Parse(stream), EventId.New(Start), time)]);
    }

    private string Pick(string[] list) => list[_random.Next(list.Length)];
}
