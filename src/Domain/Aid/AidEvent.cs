using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Aid;

/// <summary>Mutual aid: somebody asks for something by tags, somebody else has registered what to do about it, and the
/// ledger's pool pays. Stream: <c>aid-ULID</c>, one for each request and each template.</summary>
public abstract record AidEvent : LedgerEvent
{
    private AidEvent()
    {
    }

    /// <summary>By who asks. First of its stream.</summary>
    /// <param name="Tags">What the request is about; compared letter by letter.</param>
    /// <param name="Parameters">A JSON object whose members replace those of the template's <c>payload.data</c>.</param>
    public sealed record Requested(ValueList<string> Tags, string Parameters) : AidEvent;

    /// <summary>By who offers. First of its stream.</summary>
    /// <param name="Document">A job document without <c>job_id</c> and <c>created_at</c>, which a match fills in.</param>
    public sealed record TemplateRegistered(string Name, ValueList<string> Tags, string Document) : AidEvent;

    /// <summary>By its author: the template is not used any more. Cause: the template.</summary>
    public sealed record TemplateWithdrawn : AidEvent;

    /// <summary>By a node, in the request's stream, in one transaction with the submission of the job. Cause: the
    /// request.</summary>
    /// <param name="Template">Digest of the template's event.</param>
    public sealed record Matched(Digest Template, JobId JobId) : AidEvent;
}
