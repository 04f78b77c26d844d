using MeshLedger.Tools.Cli;
using Spectre.Console;

namespace MeshLedger.Tools.Blobs;

/// <summary>Progress bars over bytes, on a terminal only.</summary>
internal static class BlobBars
{
    /// <param name="total">Null where nobody knows.</param>
    /// <param name="run">Reports how many bytes are done.</param>
    public static async Task<T> RunAsync<T>(Call call, string title, long? total, Func<Action<long>, Task<T>> run)
    {
        if (Console.IsErrorRedirected || !call.Output.IsText || total == 0)
        {
            return await run(_ => { });
        }

        return await TerminalTables.Console(Console.Error).Progress()
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new DownloadedColumn(),
                new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var bar = context.AddTask(Markup.Escape(SafeText.Line(title)), maxValue: total ?? 1);
                bar.IsIndeterminate = total is null;
                return await run(bytes =>
                {
                    bar.MaxValue = Math.Max(total ?? bytes, 1);
                    bar.Value = bytes;
                });
            });
    }
}

/// <summary>Tells how much was read.</summary>
internal sealed class CountedStream(Stream inner, Action<long> report) : Stream
{
    private long _count;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _count;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken);
        report(_count += count);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
