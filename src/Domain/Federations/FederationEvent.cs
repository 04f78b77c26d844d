using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Federations;

/// <summary>
/// What happens to a federation: who may call itself its member. Stream: <c>federation-NAME</c>, so that a name belongs
/// to the key that took it first. All by that key.
/// </summary>
public abstract record FederationEvent : LedgerEvent
{
    private FederationEvent()
    {
    }

    /// <summary>First of its stream. From now on the author's key speaks for the federation.</summary>
    public sealed record Founded(string Name) : FederationEvent;

    /// <summary>A worker is a member. A later grant replaces an earlier one.</summary>
    /// <param name="TrustScopes">What the federation trusts it with, such as <c>medical</c>.</param>
    public sealed record MembershipGranted(Did Member, ValueList<string> TrustScopes) : FederationEvent;

    /// <summary>A worker is a member no more.</summary>
    public sealed record MembershipRevoked(Did Member, string Reason) : FederationEvent;
}

/// <summary>A worker's membership as it stands.</summary>
public sealed record Membership(string Federation, ValueList<string> TrustScopes);

/// <summary>Names of federations and trust scopes.</summary>
public static class FederationNames
{
    public const string Expected = "1 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit";

    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= 63 } && char.IsAsciiLetterOrDigit(name[0]) && char.IsAsciiLetterOrDigit(name[^1])
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-');
}
