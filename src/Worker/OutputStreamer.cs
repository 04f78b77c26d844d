using System.Buffers;
using System.Text;
using System.Text.Unicode;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Worker;

/// <summary>
/// Turns an operation's live output into <c>partial_output_produced</c>: gathers for a moment, cuts where characters end,
/// keeps small pieces in the event and, once <see cref="InlineBytes"/> are kept so, larger ones as blobs. An attempt that
/// is run again does not repeat what the ledger has of it. Never stalls who writes: beyond <see cref="BufferBytes"/> that
/// could not be told yet, the rest is left to the receipt.
/// </summary>
internal sealed class OutputStreamer : IAsyncDisposable
{
    private const int PieceBytes = 32 * 1024;
    private const int InlineBytes = 1 << 20;
    private const int BufferBytes = 8 << 20;
    private const int BlobBytes = 1 << 20;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(200);

    private readonly WorkerNotice.Assigned _assigned;
    private readonly Func<JobEvent.PartialOutputProduced, Task> _post;
    private readonly BlobStore _blobs;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Pending> _pending = [];
    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _wake = new(0);
    private Task? _loop;
    private long _sequence;
    private long _inline;

    public OutputStreamer(
        WorkerNotice.Assigned assigned, Func<JobEvent.PartialOutputProduced, Task> post, BlobStore blobs,
        TimeProvider clock)
    {
        _assigned = assigned;
        _post = post;
        _blobs = blobs;
        _clock = clock;
        _sequence = assigned.OutputSequence;
    }

    /// <summary>Takes the next bytes of an output.</summary>
    public void Write(string name, ReadOnlyMemory<byte> bytes)
    {
        lock (_lock)
        {
            if (!_pending.TryGetValue(name, out var pending))
            {
                var told = _assigned.OutputEnds.GetValueOrDefault(name);
                _pending.Add(name, pending = new Pending { Skip = told, Offset = told });
            }

            var skipped = (int)Math.Min(pending.Skip, bytes.Length);
            pending.Skip -= skipped;
            bytes = bytes[skipped..];
            if (pending.IsCut || bytes.IsEmpty)
            {
                return;
            }

            if (pending.Bytes.WrittenCount + bytes.Length > BufferBytes
                || pending.Offset + pending.Bytes.WrittenCount + bytes.Length > JobRules.MaxPartialBytes)
            {
                pending.IsCut = true;
                return;
            }

            pending.Bytes.Write(bytes.Span);

            // Most operations say nothing while they run, and need no one to pass it on.
            _loop ??= Task.Run(RunAsync);
        }

        _wake.Release();
    }

    /// <summary>Tells the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? loop;
        lock (_lock)
        {
            loop = _loop;
        }

        if (loop is not null)
        {
            await _ending.CancelAsync();
            await loop;
        }

        _ending.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await _wake.WaitAsync(_ending.Token);
                await Task.Delay(Gather, _clock, _ending.Token);
                await FlushAsync(isEnd: false);
            }
        }
        catch (OperationCanceledException)
        {
            await FlushAsync(isEnd: true);
        }
        catch (IOException)
        {
            // No room for a piece: the receipt tells the outputs.
        }
    }

    private async Task FlushAsync(bool isEnd)
    {
        List<(string Name, long Offset, byte[] Bytes)> pieces = [];
        lock (_lock)
        {
            foreach (var (name, pending) in _pending)
            {
                var most = _inline < InlineBytes ? PieceBytes : BlobBytes;
                var all = pending.Bytes.WrittenMemory.ToArray();
                pending.Bytes.ResetWrittenCount();
                var at = 0;
                while (at < all.Length)
                {
                    var length = Math.Min(most, all.Length - at);
                    if (!isEnd || at + length < all.Length)
                    {
                        length -= Incomplete(all.AsSpan(at, length));
                    }

                    if (length == 0)
                    {
                        break;
                    }

                    pieces.Add((name, pending.Offset, all[at..(at + length)]));
                    pending.Offset += length;
                    at += length;
                }

                pending.Bytes.Write(all.AsSpan(at));
            }
        }

        foreach (var (name, offset, bytes) in pieces)
        {
            if (_sequence < JobRules.MaxPartialOutputs)
            {
                _ = _post(await PieceAsync(name, offset, bytes));
            }
        }
    }

    private async Task<JobEvent.PartialOutputProduced> PieceAsync(string name, long offset, byte[] bytes)
    {
        string? text = null;
        string? base64 = null;
        BlobHash hash;
        if (bytes.Length > PieceBytes)
        {
            hash = await _blobs.AddBytesAsync(bytes, CancellationToken.None);
        }
        else
        {
            hash = Blake3.Hash(bytes);
            _inline += bytes.Length;
            if (Utf8.IsValid(bytes) && !bytes.AsSpan().Contains((byte)0))
            {
                text = Encoding.UTF8.GetString(bytes);
            }
            else
            {
                base64 = Convert.ToBase64String(bytes);
            }
        }

        return new JobEvent.PartialOutputProduced(
            _assigned.Attempt, ++_sequence, AttemptRunner.Clean(name), offset, bytes.Length, hash, text, base64);
    }

    /// <summary>How many bytes at the end are the beginning of a character; 0 where it is no UTF-8 anyway.</summary>
    private static int Incomplete(ReadOnlySpan<byte> bytes)
    {
        for (var back = 1; back <= Math.Min(3, bytes.Length); back++)
        {
            var one = bytes[^back];
            if (one >= 0xC0)
            {
                var needed = one >= 0xF0 ? 4 : one >= 0xE0 ? 3 : 2;
                return needed > back ? back : 0;
            }

            if (one < 0x80)
            {
                return 0;
            }
        }

        return 0;
    }

    private sealed class Pending
    {
        public ArrayBufferWriter<byte> Bytes { get; } = new();
        public long Skip { get; set; }
        public long Offset { get; set; }
        public bool IsCut { get; set; }
    }
}
