namespace MeshLedger.Tools.Cli;

/// <summary>How the command ends. Scripts rely on these; none has a second meaning.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>What was asked for was tried and did not succeed; also a failed job that was waited for.</summary>
    public const int Failed = 1;

    public const int Usage = 2;

    public const int NotFound = 3;

    /// <summary>A check found a fault: the audit in the ledger, others in a log, a proof, a tree head, a bundle or a
    /// receipt; and every verb that reads events, in one that is not what its author signed.</summary>
    public const int AuditFault = 4;

    public const string Text = "0 ok, 1 failed, 2 wrong usage, 3 not found, 4 a check found a fault";
}

/// <summary>An expected failure: one line that says what, where, and what to do.</summary>
internal sealed class CommandFailure(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
