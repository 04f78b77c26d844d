using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Transports.Tests.Compliance;

/// <summary>What the compliance suite needs of a transport: its outside, and its life.</summary>
public interface ITransportHarness : IAsyncDisposable
{
    /// <summary>True when documents can be delivered while no transport runs.</summary>
    bool TakesWhileDown { get; }

    /// <summary>Starts the transport, or starts it again after <see cref="KillAsync"/>, on what it left behind.</summary>
    Task StartAsync();

    /// <summary>Ends the transport; what it had taken is not answered. Returns once it is gone.</summary>
    Task KillAsync();

    /// <summary>Hands a document in from outside, under a ticket that names this delivery.</summary>
    Task DeliverAsync(string ticket, byte[] document);

    /// <summary>Awaits the answer to a delivery.</summary>
    Task<DeliveryAnswer> AnswerAsync(string ticket);

    /// <summary>The deliveries that were made and have no answer yet.</summary>
    Task<IReadOnlyList<string>> UnansweredAsync();
}

/// <summary>What came back for one delivery.</summary>
public abstract record DeliveryAnswer
{
    /// <summary>The job ended; the result text as it was given back.</summary>
    public sealed record Result(bool Succeeded, string Json) : DeliveryAnswer;

    /// <summary>Not taken: every fault, or a code and a message.</summary>
    public sealed record Rejected(string Code, string Message, IReadOnlyList<DocumentFault> Faults) : DeliveryAnswer;
}

/// <summary>The node behind the transport, as far as the suite looks at it. Lives on when the transport is killed.
/// </summary>
public interface IIntakeUnderTest : IAsyncDisposable
{
    IJobIntake Intake { get; }

    /// <summary>A document whose job succeeds.</summary>
    byte[] Succeeding(JobId jobId, string content = "", string? idempotencyKey = null);

    /// <summary>A document whose job fails.</summary>
    byte[] Failing(JobId jobId);

    /// <summary>From now on no job ends, until <see cref="Release"/>.</summary>
    void Hold();

    void Release();

    /// <summary>Returns once the job is in the ledger.</summary>
    Task SubmittedAsync(JobId jobId);

    /// <summary>How many jobs the ledger has.</summary>
    int Jobs { get; }
}
