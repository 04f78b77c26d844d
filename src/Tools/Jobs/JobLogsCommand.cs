using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job logs</c>: what a job's program wrote to stdout and stderr, in the order in which it came.
/// </summary>
internal static class JobLogsCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "A job." };
    private static readonly Option<bool> Follow = RunFilter.NewFollow();
    private static readonly Option<string?> Worker = RunFilter.NewOption();

    private static readonly Option<bool> Raw = RunFilter.NewRaw(
        "The bytes themselves: stdout to standard output, stderr to standard error. Only for a file or a program: they "
        + "may steer a terminal.");

    public static Command Create() => new Verb(
        "logs",
        "Show what a job's program wrote to stdout and stderr, as it came; then what only the receipt has. Lines of stderr "
        + "are marked, and where several workers run the job, each line names its own. With --output json or jsonl an object a "
        + "piece, each on a line of its own.",
        "meshledger job logs hello-vm-example-001", "meshledger job logs hello-vm-example-001 --follow",
        "meshledger job logs hello-vm-example-001 --raw > out.txt 2> err.txt")
    {
        Id, Follow, Worker, Raw,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var filter = new RunFilter(ledger, call.Get(Worker));
        using var tape = new OutputTape(call, ledger);
        await using ILogWriter writer = call.Get(Raw) ? new RawWriter(call) : new LineWriter(call, filter);
        var others = new SortedSet<string>(StringComparer.Ordinal);
        var count = 0;
        var code = await RunFilter.ReadAsync(call, ledger, job, call.Get(Follow), async (recorded, state) =>
        {
            foreach (var piece in await tape.TakeAsync(recorded, call.Stop))
            {
                if (piece.Name is not ("stdout" or "stderr"))
                {
                    others.Add(piece.Name);
                }
                else if (piece.Size > 0 && await filter.TakesAsync(piece.Worker, call.Stop))
                {
                    count++;
                    await writer.WriteAsync(piece, state, call.Stop);
                }
            }
        });
        if (count == 0 && code == ExitCodes.Ok && call.Output.IsText)
        {
            Messages.Say(others.Count == 0
                ? $"Nothing was written to stdout or stderr{(call.Get(Follow) ? "" : " yet")}."
                : $"Nothing was written to stdout or stderr; other outputs: {string.Join(", ", others)} "
                    + $"(meshledger job outputs {job}).");
        }

        return code;
    }

    private interface ILogWriter : IAsyncDisposable
    {
        Task WriteAsync(OutputPiece piece, JobState state, CancellationToken cancellationToken);
    }

    /// <summary>Bytes as they are.</summary>
    private sealed class RawWriter(Call call) : ILogWriter
    {
        private readonly Stream _out = Console.OpenStandardOutput();
        private readonly Stream _errors = Console.OpenStandardError();

        public async Task WriteAsync(OutputPiece piece, JobState state, CancellationToken cancellationToken)
        {
            if (state.Runs.Count > 1 && call.Get(Worker) is null)
            {
                throw new CommandFailure(
                    ExitCodes.Usage, $"{state.Runs.Count} workers run the job: choose one with --worker.");
            }

            var stream = piece.Name == "stderr" ? _errors : _out;
            await stream.WriteAsync(piece.Bytes ?? throw Absent(piece), cancellationToken);
            await stream.FlushAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _out.DisposeAsync();
            await _errors.DisposeAsync();
        }
    }

    internal static CommandFailure Absent(OutputPiece piece) => new(
        ExitCodes.NotFound, $"{Names.Count(piece.Size, "byte")} of {piece.Name} from {piece.Offset} are in blob {piece.Blake3}, which is "
        + "not in this data directory: fetch it from the worker's (meshledger blob get).");

    /// <summary>Whole lines, harmless, or an object a piece.</summary>
    private sealed class LineWriter(Call call, RunFilter filter) : ILogWriter
    {
        private readonly Dictionary<(Did Worker, int Attempt, string Name), Open> _open = [];
        private int _attempt;

        public Task WriteAsync(OutputPiece piece, JobState state, CancellationToken cancellationToken)
        {
            call.Output.Item(PieceView.Of(piece, filter.NameOf(piece.Worker)), () => WriteText(piece, state.Runs.Count > 1));
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            foreach (var open in _open.Values)
            {
                open.End(call.Output);
            }

            return ValueTask.CompletedTask;
        }

        private void WriteText(OutputPiece piece, bool isOneOfMany)
        {
            if (_attempt != 0 && piece.Attempt != _attempt)
            {
                Messages.Say($"(attempt {piece.Attempt}, worker {filter.NameOf(piece.Worker)})");
            }

            _attempt = piece.Attempt;
            var key = (piece.Worker, piece.Attempt, piece.Name);
            if (!_open.TryGetValue(key, out var open))
            {
                var prefix = (isOneOfMany ? $"{filter.NameOf(piece.Worker)}: " : "")
                    + (piece.Name == "stderr" ? "stderr: " : "");
                _open.Add(key, open = new Open(prefix));
            }

            if (piece.Bytes is { } bytes)
            {
                open.Add(bytes, call.Output);
            }
            else
            {
                open.End(call.Output);
                Messages.Say($"({Absent(piece).Message})");
            }
        }
    }

    /// <summary>The line of an output that has not ended.</summary>
    private sealed class Open(string prefix)
    {
        private const int MaxLine = 1 << 16;
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
        private readonly StringBuilder _line = new();

        public void Add(byte[] bytes, Output output)
        {
            var letters = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
            var count = _decoder.GetChars(bytes, letters, flush: false);
            foreach (var letter in letters.AsSpan(0, count))
            {
                if (letter == '\n' || _line.Length >= MaxLine)
                {
                    Write(output);
                }

                if (letter != '\n')
                {
                    _line.Append(letter);
                }
            }
        }

        public void End(Output output)
        {
            if (_line.Length > 0)
            {
                Write(output);
            }
        }

        private void Write(Output output)
        {
            output.Line(prefix + _line.ToString().TrimEnd('\r'));
            _line.Clear();
        }
    }
}

/// <summary>A piece of an output as an object.</summary>
internal static class PieceView
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static JsonObject Of(OutputPiece piece, string workerId)
    {
        var text = TextOf(piece.Bytes);
        return new JsonObject
        {
            ["time"] = Timestamps.Write(piece.Time),
            ["worker"] = piece.Worker.ToString(),
            ["worker_id"] = workerId,
            ["attempt"] = piece.Attempt,
            ["name"] = piece.Name,
            ["offset"] = piece.Offset,
            ["size"] = piece.Size,
            ["final"] = piece.Receipt is not null,
            ["text"] = text,
            ["base64"] = text is null && piece.Bytes is { } bytes ? Convert.ToBase64String(bytes) : null,
            ["blob"] = piece.Bytes is null ? piece.Blake3.ToString() : null,
        };
    }

    private static string? TextOf(byte[]? bytes)
    {
        try
        {
            return bytes is null ? null : Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
