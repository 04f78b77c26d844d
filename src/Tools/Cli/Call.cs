using System.CommandLine;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Cli;

/// <summary>One run of a verb: what was typed, where the answer goes, and when to stop.</summary>
internal sealed class Call(ParseResult parsed, StopSignals signals) : IDisposable
{
    public Output Output { get; } = new(parsed.GetValue(GlobalOptions.Output));

    public CancellationToken Stop => signals.Token;

    public StopSignals Signals => signals;

    public DataDirectory Data { get; } = DataDirectory.Choose(parsed.GetValue(GlobalOptions.Data));

    /// <summary>What <c>--postgres</c> says; null for the private one.</summary>
    public string? Postgres { get; } = parsed.GetValue(GlobalOptions.Postgres);

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    public void Dispose() => Output.Dispose();
}
