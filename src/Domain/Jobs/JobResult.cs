namespace MeshLedger.Domain.Jobs;

/// <summary>
/// How a job ended, as its stream tells: what a transport hands back to who asked. Both texts are derived from the
/// ledger alone, so any node gives the same answer at any time.
/// </summary>
/// <param name="JobId">The job.</param>
/// <param name="Succeeded">True for <c>completed</c>.</param>
/// <param name="Json">The result document: UTF-8 JSON, indented, snake_case, ends with a newline.</param>
public sealed record JobResult(JobId JobId, bool Succeeded, ReadOnlyMemory<byte> Json);
