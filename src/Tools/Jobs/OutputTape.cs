using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Blobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Tools.Jobs;

/// <summary>A piece of an output, as a worker told it while it ran, or, with <paramref name="Receipt"/>, what its receipt
/// has beyond all pieces; that one may be empty.</summary>
/// <param name="Bytes">Null if they are in a blob that is neither here nor at a peer.</param>
internal sealed record OutputPiece(
    DateTimeOffset Time, Did Worker, int Attempt, string Name, long Offset, long Size, BlobHash Blake3, byte[]? Bytes,
    ReceiptOutput? Receipt);

/// <summary>Makes one tape of a job's outputs from its events: no byte of a run twice.</summary>
internal sealed class OutputTape(Call call, LedgerSession ledger) : IDisposable
{
    private readonly Dictionary<(Did Worker, int Attempt, string Name), long> _ends = [];
    private PeerList? _peers;
    private BlobFetcher? _blobs;

    public void Dispose() => _peers?.Dispose();

    public async Task<IReadOnlyList<OutputPiece>> TakeAsync(RecordedEvent recorded, CancellationToken cancellationToken)
    {
        var (by, time) = (recorded.Statement.By, recorded.Statement.Time);
        switch (recorded.Statement.Body)
        {
            case JobEvent.PartialOutputProduced piece:
                _ends[(by, piece.Attempt, piece.Name)] = piece.Offset + piece.Size;
                return
                [
                    new OutputPiece(
                        time, by, piece.Attempt, piece.Name, piece.Offset, piece.Size, piece.Blake3,
                        await BytesAsync(piece.Text, piece.Base64, piece.Blake3, cancellationToken), null),
                ];
            case JobEvent.ReceiptIssued { Receipt: var receipt } issued:
                var rest = new List<OutputPiece>(receipt.Outputs.Count);
                foreach (var output in receipt.Outputs)
                {
                    var told = Math.Min(_ends.GetValueOrDefault((by, issued.Attempt, output.Name)), output.Size);
                    var bytes = await BytesAsync(output.Text, output.Base64, output.Blake3, cancellationToken);
                    rest.Add(new OutputPiece(
                        time, by, issued.Attempt, output.Name, told, output.Size - told, output.Blake3,
                        bytes?[(int)told..], output));
                }

                return rest;
            default:
                return [];
        }
    }

    private async Task<byte[]?> BytesAsync(
        string? text, string? base64, BlobHash blob, CancellationToken cancellationToken)
    {
        if (text is not null)
        {
            return Encoding.UTF8.GetBytes(text);
        }

        if (base64 is not null)
        {
            return Convert.FromBase64String(base64);
        }

        try
        {
            if (_blobs is null)
            {
                _peers = await PeerSearch.FindAsync(call, [], ledger);
                _blobs = new BlobFetcher(
                    BlobCommands.Open(call), _peers, new FetchOptions(), TimeProvider.System,
                    NullLogger<BlobFetcher>.Instance);
            }

            return await _blobs.ReadAsync(blob, size: null, cancellationToken);
        }
        catch (BlobNotFoundException)
        {
            return null;
        }
    }
}
