using System.Diagnostics;
using System.Text.Json;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Observability.Traces;

/// <summary>
/// The spans of one job, made of its events and with their times:
/// <code>
/// job
///   job.submission            job_submitted, until it was appended
///   job.bidding               bidding_opened .. bidding_closed; each bid is an event of it
///   job.queue                 job_assigned .. execution_started, for each worker
///   job.execution             execution_started .. receipt_issued, for each worker; reports of progress are its events
///   job.settlement            the last receipt .. the end, until it was appended
/// </code>
/// Times are those of their authors' clocks; where one lies before the other, the span has no length.
/// </summary>
internal sealed class JobTrace : IDisposable
{
    /// <summary>Of a job that reports progress without end, only the first reports are told.</summary>
    private const int MostEvents = 100;

    private readonly ActivitySource _source;
    private readonly JobId _job;
    private readonly EventView[] _views;
    private ActivityContext _root;

    private JobTrace(ActivitySource source, JobId job, EventView[] views)
    {
        _source = source;
        _job = job;
        _views = views;
    }

    /// <summary>Makes the spans, if anybody listens.</summary>
    /// <param name="source">Where the spans come from.</param>
    /// <param name="job">The job, which has ended.</param>
    /// <param name="events">All its events.</param>
    public static void Emit(ActivitySource source, JobId job, IReadOnlyList<RecordedEvent> events)
    {
        if (source.HasListeners())
        {
            using var trace = new JobTrace(source, job, [.. events.Select(recorded => new EventView(recorded))]);
            trace.Emit();
        }
    }

    public void Dispose()
    {
        foreach (var view in _views)
        {
            view.Dispose();
        }
    }

    private void Emit()
    {
        var submitted = First(EventNames.Submitted);
        var end = Array.Find(_views, view => EventNames.Ends.ContainsKey(view.Type));
        if (submitted is null || end is null)
        {
            return;
        }

        var document = submitted.Text("document");
        using var root = _source.StartActivity(
            "job", ActivityKind.Consumer, TraceContext.Of(_job, document), startTime: submitted.Time);
        if (root is null)
        {
            // The collector's sampling leaves this one out.
            return;
        }

        _root = root.Context;
        Describe(root, submitted);
        root.SetTag("meshledger.job.status", EventNames.Ends[end.Type]);
        root.SetTag("meshledger.job.attempts", _views.Max(view => view.Attempt));
        root.SetTag("meshledger.job.correlation_id", submitted.Text("terms", "correlation_id"));
        SetOutcome(root, end.Data);

        Span("job.submission", submitted, submitted.AppendedAt, span =>
            span.SetTag("meshledger.transport", submitted.Text("transport"))
                .SetTag("meshledger.submitter", submitted.By.ToString()));
        foreach (var attempt in _views.Select(view => view.Attempt).Where(attempt => attempt > 0).Distinct().Order())
        {
            EmitAttempt(attempt, end);
        }

        var receipt = Array.FindLast(_views, view => view.Type == "receipt_issued");
        Span("job.settlement", receipt ?? end, end.AppendedAt, span =>
        {
            span.SetTag("meshledger.job.status", EventNames.Ends[end.Type]);
            span.SetTag("meshledger.mana.paid", end.Number("paid") ?? end.List("outcomes").Sum(Paid));
            span.SetTag("meshledger.mana.refunded", end.Number("refunded"));
            span.SetTag("meshledger.event.end_digest", end.Digest.ToString());
            span.SetTag("meshledger.node", end.By.ToString());
        });
        End(root, submitted.Time, end.AppendedAt);
    }

    private void EmitAttempt(long attempt, EventView end)
    {
        EventView[] events = [.. _views.Where(view => view.Attempt == attempt)];
        EventView? Of(string type) => Array.Find(events, view => view.Type == type);
        var (opened, closed, assigned) = (Of("bidding_opened"), Of("bidding_closed"), Of("job_assigned"));
        var over = Of("attempt_ended") ?? end;
        if (opened is not null)
        {
            Span("job.bidding", opened, closed?.Time ?? over.Time, span =>
            {
                span.SetTag("meshledger.bidding.reason", closed?.Text("reason"));
                AddEvents(span, events.Where(view => view.Type == "bid_placed"), bid => new()
                {
                    ["meshledger.worker"] = bid.By.ToString(),
                    ["meshledger.price"] = bid.Number("price"),
                    ["meshledger.event.digest"] = bid.Digest.ToString(),
                });
            });
        }

        foreach (var (worker, price) in assigned is null ? [] : Assignees(assigned))
        {
            EventView? By(string type) => Array.Find(events, view => view.Type == type && view.By.ToString() == worker);
            var (started, receipt) = (By("execution_started"), By("receipt_issued"));
            Span("job.queue", assigned!, started?.Time ?? receipt?.Time ?? over.Time, span =>
                span.SetTag("meshledger.worker", worker).SetTag("meshledger.price", price));
            if (started is not null)
            {
                Span("job.execution", started, receipt?.Time ?? over.Time, span =>
                {
                    span.SetTag("meshledger.worker", worker).SetTag("meshledger.price", price);
                    Describe(span, receipt, over);
                    AddEvents(
                        span, events.Where(view => view.Type == "progress_reported" && view.By.ToString() == worker),
                        report => new()
                        {
                            ["meshledger.progress.phase"] = report.Text("phase"),
                            ["meshledger.progress.basis_points"] = report.Number("basis_points"),
                        });
                });
            }
        }
    }

    private static void Describe(Activity span, EventView? receipt, EventView over)
    {
        if (receipt is null)
        {
            span.SetStatus(ActivityStatusCode.Error, "There is no receipt.");
            SetOutcome(span, over.Data);
            return;
        }

        span.SetTag("meshledger.event.receipt_digest", receipt.Digest.ToString());
        span.SetTag("meshledger.engine", receipt.Text("receipt", "engine", "name"));
        span.SetTag("meshledger.exit_code", receipt.Number("receipt", "exit_code"));
        SetOutcome(span, EventView.Find(receipt.Data, "receipt") ?? default);
    }

    /// <summary>The error that an end or a receipt names.</summary>
    private static void SetOutcome(Activity span, JsonElement from)
    {
        if (EventView.TextOf(from, "error", "code") is { } code)
        {
            span.SetTag("error.type", code);
            span.SetStatus(ActivityStatusCode.Error, EventView.TextOf(from, "error", "message"));
        }
    }

    private void Span(string name, EventView from, DateTimeOffset to, Action<Activity> fill)
    {
        using var span = _source.StartActivity(name, ActivityKind.Internal, _root, startTime: from.Time);
        if (span is not null)
        {
            Describe(span, from);
            fill(span);
            End(span, from.Time, to);
        }
    }

    private void Describe(Activity span, EventView from)
    {
        span.SetTag("meshledger.job.id", _job.ToString());
        span.SetTag("meshledger.job.operation", First(EventNames.Submitted)!.Text("operation"));
        span.SetTag("meshledger.event.digest", from.Digest.ToString());
        if (from.Attempt > 0)
        {
            span.SetTag("meshledger.job.attempt", from.Attempt);
        }
    }

    private static void End(Activity span, DateTimeOffset from, DateTimeOffset to) =>
        span.SetEndTime((to < from ? from : to).UtcDateTime);

    private static void AddEvents(
        Activity span, IEnumerable<EventView> views, Func<EventView, ActivityTagsCollection> tags)
    {
        foreach (var view in views.Take(MostEvents))
        {
            span.AddEvent(new ActivityEvent(view.Type, view.Time, tags(view)));
        }
    }

    private EventView? First(string type) => Array.Find(_views, view => view.Type == type);

    private static IEnumerable<(string Worker, long? Price)> Assignees(EventView assigned) =>
        assigned.Text("worker") is { } one
            ? [(one, assigned.Number("price"))]
            : assigned.List("assignees").Select(assignee => (
                EventView.TextOf(assignee, "worker") ?? "",
                EventView.NumberOf(assignee, "price")));

    private static long Paid(JsonElement outcome) => EventView.NumberOf(outcome, "paid") ?? 0;
}
