using System.Threading.Channels;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

/// <summary>
/// What the worker says, on its way to the node: while one batch is under way the next one gathers, and one signature
/// covers it. A batch whose answer was lost is sent again as it is; the ledger takes each event once.
/// </summary>
internal sealed class Outbox(IWorkerGateway gateway, EventAuthor author, TimeProvider clock, ILogger log)
{
    private const int MaxBatch = 512;

    private readonly Channel<Letter> _waiting =
        Channel.CreateUnbounded<Letter>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Takes a statement to be signed and sent after those before it. The task ends when the ledger has it, or
    /// refused it.</summary>
    public Task<Refusal?> PostAsync(Statement statement)
    {
        var letter = new Letter(statement);
        return _waiting.Writer.TryWrite(letter)
            ? letter.Answer.Task
            : Task.FromCanceled<Refusal?>(new CancellationToken(canceled: true));
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        var batch = new List<Letter>();
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stopping))
            {
                batch.Clear();
                while (batch.Count < MaxBatch && _waiting.Reader.TryRead(out var letter))
                {
                    batch.Add(letter);
                }

                await SendAsync(batch, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var letter))
            {
                batch.Add(letter);
            }

            batch.ForEach(letter => letter.Answer.TrySetCanceled(stopping));
        }
    }

    private async Task SendAsync(List<Letter> batch, CancellationToken stopping)
    {
        var signed = author.Sign([.. batch.Select(letter => letter.Statement)]);
        var delay = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            try
            {
                var answers = await gateway.ReportAsync(signed, stopping);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Answer.TrySetResult(answers[i]);
                }

                return;
            }
            catch (Exception exception) when (!stopping.IsCancellationRequested)
            {
                Log.ReportPostponed(log, delay.TotalMilliseconds, exception.Message);
                await Task.Delay(delay, clock, stopping);
                delay = delay < TimeSpan.FromSeconds(5) ? delay * 2 : delay;
            }
        }
    }

    private sealed record Letter(Statement Statement)
    {
        public TaskCompletionSource<Refusal?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
