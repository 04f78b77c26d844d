using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker.Tests;

public sealed class OfferQueueTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Higher_priorities_go_first_and_equal_ones_in_the_order_of_their_submission()
    {
        var queue = new OfferQueue();
        Add(queue, "job-lowest", 1, 0);
        Add(queue, "job-high-late", 10, 2);
        Add(queue, "job-high", 10, 1);
        Add(queue, "job-middle", 5, 0);

        Assert.Equal(
            ["job-high", "job-high-late", "job-middle", "job-lowest"],
            queue.InOrder.Select(waiting => waiting.Offer.JobId.ToString()));
    }

    [Fact]
    public void A_low_priority_is_not_starved_by_high_ones_that_keep_coming()
    {
        // Each second a job of priority 10 comes and one job is taken: without aging the low one would wait for ever.
        var queue = new OfferQueue();
        Add(queue, "job-the-low-one", 1, 0);
        Add(queue, "job-high-backlog", 10, 0);
        for (var second = 1; second < 1000; second++)
        {
            Add(queue, $"job-high-{second:D4}", 10, second);
            var next = queue.InOrder.First().Offer.JobId;
            queue.Remove(next);
            if (next.ToString() == "job-the-low-one")
            {
                Assert.InRange(second, 9 * 30, (9 * 30) + 2);
                return;
            }
        }

        Assert.Fail("The job of priority 1 never had its turn.");
    }

    [Fact]
    public void A_later_offer_of_a_job_replaces_the_earlier_one()
    {
        var queue = new OfferQueue();
        Add(queue, "job-again", 5, 0);
        Add(queue, "job-again", 5, 3);

        Assert.Equal(1, queue.Count);
        queue.Remove(JobId.Parse("job-again"));
        Assert.Empty(queue.InOrder);
    }

    [Fact]
    public void What_is_reserved_once_is_not_offered_twice()
    {
        var capacity = new Capacity(new WorkerResources(4, 1000, 500, 10), 8, TimeProvider.System);
        var big = new HandlerNeeds(3, 600, 0);

        Assert.True(capacity.TryReserve(Run(1), big, "vm.execute"));
        Assert.False(capacity.TryReserve(Run(2), big, "vm.execute"));
        Assert.True(capacity.TryReserve(Run(3), new HandlerNeeds(1, 400, 500), "vm.execute"));
        Assert.False(capacity.TryReserve(Run(4), new HandlerNeeds(0, 0, 1), "vm.execute"));
        Assert.Equal(new FreeResources(3, 600, 0, 7), capacity.FreeFor(Run(1)));
        capacity.Release(Run(1));
        capacity.Release(Run(1));
        Assert.True(capacity.TryReserve(Run(2), big, "vm.execute"));
    }

    [Fact]
    public void Light_work_stands_in_line_only_as_far_as_it_is_short()
    {
        var clock = new HandClock();
        var capacity = new Capacity(new WorkerResources(4, 1000, 500, 10), 2, clock);
        var taken = 0;
        int Fill(string operation)
        {
            var before = taken;
            while (capacity.TryReserve(Run(taken), HandlerNeeds.None, operation))
            {
                taken++;
            }

            return taken - before;
        }

        Assert.Equal(2, Fill("system.echo"));
        var began = clock.GetTimestamp();
        clock.Advance(TimeSpan.FromMilliseconds(1));
        capacity.Took("system.echo", began);
        Assert.InRange(Fill("system.echo"), 100, 256);
        Assert.Equal(0, Fill("system.sleep"));
        began = clock.GetTimestamp();
        clock.Advance(TimeSpan.FromMinutes(1));
        capacity.Took("system.sleep", began);
        for (var run = 0; run < taken; run++)
        {
            capacity.Release(Run(run));
        }

        taken = 0;
        Assert.Equal(2, Fill("system.sleep"));
    }

    private static (JobId Job, int Attempt) Run(int number) => (JobId.Parse($"job-run-{number:D4}"), 1);

    private static void Add(OfferQueue queue, string job, int priority, int second)
    {
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes($$$"""
            {"version":"1.0","job_id":"{{{job}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
             "operation":"system.echo","execution":{"priority":{{{priority}}}},"payload":{"type":"system.echo.v1","data":null}}
            """)).Document!;
        var submission = JobSubmission.Create(document, SigningKey.Generate().Did, "test", 100, 250);
        queue.Add(
            new WorkerNotice.Offered(document.JobId, 1, default, submission, Start.AddSeconds(second)),
            HandlerNeeds.None,
            since: 0);
    }

    private sealed class HandClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan by) => _ticks += by.Ticks;
    }
}
