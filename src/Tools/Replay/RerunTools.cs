using System.Text.Json;
using MeshLedger.Blobs.Peers;
using MeshLedger.Domain.Jobs;
using MeshLedger.Machines;
using MeshLedger.Tools.Blobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools.Replay;

/// <summary>What a document is run again with: this directory's blobs, those of peers, and the engines of this machine.
/// </summary>
internal sealed class RerunTools : IAsyncDisposable
{
    private readonly StderrLog _logs;
    private readonly PeerList _peers;
    private readonly MicroVmHost? _machines;

    private RerunTools(StderrLog logs, PeerList peers, MicroVmHost? machines, BlobFetcher blobs)
    {
        (_logs, _peers, _machines) = (logs, peers, machines);
        Rerunner = new Rerunner(new HandlerTable(
            new HandlerOptions { Machines = machines, Blobs = blobs }, TimeProvider.System));
    }

    public Rerunner Rerunner { get; }

    /// <param name="given">What <c>--peer</c> says.</param>
    /// <exception cref="MachinesUnavailableException">The job needs a machine, and this one can have none.</exception>
    public static async Task<RerunTools> OpenAsync(
        Call call, LedgerSession ledger, JobEvent.Submitted submission, IReadOnlyList<string> given)
    {
        var logs = new StderrLog(json: !call.Output.IsText, LogLevel.Error, TimeProvider.System);
        var peers = await PeerSearch.FindAsync(call, given, ledger);
        var blobs = new BlobFetcher(
            BlobCommands.Open(call), peers, new FetchOptions(), TimeProvider.System, logs.CreateLogger<BlobFetcher>());
        var machines = NeedsMachine(submission)
            ? MicroVmHost.Find(
                MicroVmHostOptions.FromEnvironment(call.Data.Machines), TimeProvider.System, logs.CreateLogger<MicroVmHost>())
            : null;
        return new RerunTools(logs, peers, machines, blobs);
    }

    public async ValueTask DisposeAsync()
    {
        if (_machines is not null)
        {
            await _machines.DisposeAsync();
        }

        _peers.Dispose();
        _logs.Dispose();
    }

    /// <summary>A program of a format that is not said runs in a machine, too.</summary>
    private static bool NeedsMachine(JobEvent.Submitted submission)
    {
        if (submission.Operation != JobSubmission.ExecuteOperation)
        {
            return false;
        }

        using var document = JsonDocument.Parse(submission.Document);
        return !(document.RootElement.TryGetProperty("payload", out var payload)
            && payload.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            && data.TryGetProperty("format", out var format) && format.ValueKind == JsonValueKind.String
            && format.ValueEquals("wasm"));
    }
}
