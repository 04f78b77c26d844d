namespace MeshLedger.Wasm;

/// <summary>The bytes are no module: the message begins with the specification's reason, then says where.</summary>
public sealed class MalformedModuleException(string reason, long offset, string? detail = null)
    : FormatException($"{reason}{(detail is null ? "" : $" ({detail})")} at byte {offset}")
{
    /// <summary>The reason in the words of the specification's test suite.</summary>
    public string Reason { get; } = reason;

    public long Offset { get; } = offset;
}

/// <summary>The module decodes but its types do not agree (section 3).</summary>
public sealed class InvalidModuleException(string reason, long offset, string? detail = null)
    : FormatException($"{reason}{(detail is null ? "" : $" ({detail})")} at byte {offset}")
{
    public string Reason { get; } = reason;

    public long Offset { get; } = offset;
}

/// <summary>The module needs more than the limits allow (a limit of ours, not of the specification).</summary>
public sealed class ModuleLimitException(string message) : FormatException(message);

/// <summary>An import is missing or of another type than the module declares.</summary>
public sealed class LinkException(string reason, string detail) : Exception($"{reason}: {detail}")
{
    public string Reason { get; } = reason;
}
