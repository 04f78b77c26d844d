namespace MeshLedger.Domain.Ports;

/// <summary>
/// A way in for jobs. A transport takes job documents from outside, submits them to the intake, and gives the result
/// back outside. Its promises, which the compliance suite checks: every document that it took is answered exactly once
/// per delivery, by a result or by a refusal that lists every fault, also after a crash at any point; a document that
/// cannot be read never stops the others; nothing that a document says makes it touch anything outside of its own place.
/// </summary>
public interface ITransport
{
    /// <summary>Lower case, stable; recorded in <c>job_submitted</c>.</summary>
    string Name { get; }

    /// <summary>Runs until <paramref name="stopping"/> is cancelled; then takes nothing new, and returns. What it had
    /// taken and not answered is answered by the next run.</summary>
    Task RunAsync(IJobIntake intake, CancellationToken stopping);
}
