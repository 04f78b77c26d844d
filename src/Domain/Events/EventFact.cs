using MeshLedger.Crypto;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Events;

/// <summary>What rules and state need of an event: who said what, when, in answer to what.</summary>
public readonly record struct EventFact(Did By, Digest? Cause, Digest Digest, DateTimeOffset Time, LedgerEvent Body)
{
    /// <exception cref="FormatException">The statement's body is of no known kind or shape.</exception>
    public static EventFact Of(Statement statement) =>
        new(statement.By, statement.Cause, statement.Digest, statement.Time, statement.Body);
}

/// <summary>Who is who in the ledger, as of the events before the one that is judged.</summary>
public interface IAuthority
{
    /// <summary>True if the key is the founder's or that of an admitted node.</summary>
    bool IsNode(Did key);

    /// <summary>The registration that has this digest, and who made it; null if there is none.</summary>
    WorkerRegistration? Registration(Digest registration);

    /// <summary>Whether a worker took jobs as of a position.</summary>
    WorkerStanding Standing(Did worker, long asOf);

    /// <summary>What federations had granted a worker as of a position.</summary>
    IReadOnlyList<Membership> Memberships(Did worker, long asOf);
}

/// <summary>Why an event or a command is not accepted. The code names the rule and is stable.</summary>
public sealed record Refusal(string Code, string Message)
{
    public override string ToString() => $"{Code}: {Message}";
}

/// <summary>What a command leads to: the events, or why not.</summary>
public sealed record Decision(IReadOnlyList<DecidedEvent> Events, Refusal? Refusal)
{
    /// <summary>The command asks for what is so already.</summary>
    public static Decision Nothing { get; } = new([], null);

    public static Decision Of(params IReadOnlyList<DecidedEvent> events) => new(events, null);

    public static Decision Refuse(string code, string message) => new([], new Refusal(code, message));
}

/// <summary>An event to be: its body, and the digest of what it answers; null answers the event before it in the same
/// decision.</summary>
public sealed record DecidedEvent(LedgerEvent Body, Digest? Cause);

/// <summary>History that no rule allows: the ledger was tampered with, or written by something else. Nothing but the
/// process's end may catch it.</summary>
public sealed class InvalidHistoryException : Exception
{
    public InvalidHistoryException()
    {
    }

    public InvalidHistoryException(string message)
        : base(message)
    {
    }

    public InvalidHistoryException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
