using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job outputs</c>: a job's outputs, while it runs and afterwards.</summary>
internal static class JobOutputsCommand
{
    private const int Lines = 20;

    private static readonly Argument<string> Id = new("ID") { Description = "A job." };
    private static readonly Option<bool> Follow = RunFilter.NewFollow();
    private static readonly Option<string?> Worker = RunFilter.NewOption();

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "Only this output, such as stdout, result or files/out.txt.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> Raw = RunFilter.NewRaw(
        "The bytes of one output to standard output. Only for a file or a program: they may steer a terminal.");

    public static Command Create() => new Verb(
        "outputs",
        "Show a job's outputs: what it has told so far, and once it has ended those of its receipt, with their digests. "
        + "Large ones are read from this data directory's blobs.",
        "meshledger job outputs hello-vm-example-001", "meshledger job outputs hello-vm-example-001 --follow --output jsonl",
        "meshledger job outputs hello-vm-example-001 --name stdout --raw > out.txt")
    {
        Id, Follow, Name, Worker, Raw,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        if (call.Get(Raw) && call.Get(Follow) && call.Get(Name) is null)
        {
            throw new CommandFailure(ExitCodes.Usage, "--raw --follow: expected --name NAME, too.");
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var filter = new RunFilter(ledger, call.Get(Worker));
        using var tape = new OutputTape(call, ledger);
        var outputs = new Dictionary<(string Worker, int Attempt, string Name), KeptOutput>();
        await using var raw = call.Get(Raw) && call.Get(Follow) ? Console.OpenStandardOutput() : Stream.Null;
        var code = await RunFilter.ReadAsync(call, ledger, job, call.Get(Follow), async (recorded, state) =>
        {
            foreach (var piece in await tape.TakeAsync(recorded, call.Stop))
            {
                if (call.Get(Name) is { } name && name != piece.Name || !await filter.TakesAsync(piece.Worker, call.Stop))
                {
                    continue;
                }

                var key = (piece.Worker.ToString(), piece.Attempt, piece.Name);
                if (!outputs.TryGetValue(key, out var kept))
                {
                    outputs.Add(key, kept = new KeptOutput(filter.NameOf(piece.Worker), piece.Attempt, piece.Name));
                }

                kept.Add(piece, keepBytes: !call.Get(Follow));
                if (call.Get(Raw))
                {
                    OneRun(state);
                    await raw.WriteAsync(call.Get(Follow) ? piece.Bytes ?? throw JobLogsCommand.Absent(piece) : [], call.Stop);
                    await raw.FlushAsync(call.Stop);
                }
                else if (call.Get(Follow))
                {
                    call.Output.Item(PieceView.Of(piece, kept.WorkerId), () => WritePiece(call.Output, piece, kept.WorkerId));
                }
            }
        });
        if (!call.Get(Follow))
        {
            await ShowAsync(call, outputs.Values);
        }

        return code;

        void OneRun(JobState state)
        {
            if (state.Runs.Count > 1 && call.Get(Worker) is null)
            {
                throw new CommandFailure(ExitCodes.Usage, $"{state.Runs.Count} workers run the job: choose one with --worker.");
            }
        }
    }

    private static async Task ShowAsync(Call call, IReadOnlyCollection<KeptOutput> outputs)
    {
        // Of several attempts the last one counts.
        var last = outputs.Count == 0 ? 0 : outputs.Max(output => output.Attempt);
        var shown = outputs.Where(output => output.Attempt == last).ToList();
        if (call.Get(Name) is { } name && shown.Count == 0)
        {
            throw new CommandFailure(ExitCodes.NotFound, $"the job has no output {name}.");
        }

        if (call.Get(Raw))
        {
            if (shown.Count > 1)
            {
                throw new CommandFailure(
                    ExitCodes.Usage, "--raw: choose one with --name: "
                    + string.Join(", ", shown.Select(output => output.Name).Distinct()));
            }

            await using var stream = Console.OpenStandardOutput();
            foreach (var piece in shown.SelectMany(output => output.Pieces))
            {
                await stream.WriteAsync(piece.Bytes ?? throw JobLogsCommand.Absent(piece), call.Stop);
            }

            return;
        }

        if (!call.Output.IsText || shown.Count == 0)
        {
            call.Output.Rows([.. shown.Select(output => output.ToJson())], [], "No outputs yet.");
            return;
        }

        foreach (var output in shown)
        {
            output.Write(call.Output, Lines);
        }
    }

    private static void WritePiece(Output output, OutputPiece piece, string workerId)
    {
        var what = piece.Receipt is { } receipt
            ? $"complete, {Names.Count(receipt.Size, "byte")}{(receipt.Truncated ? ", cut at the limit" : "")}, blake3 {receipt.Blake3}"
            : $"{Names.Count(piece.Size, "byte")} from {piece.Offset}";
        output.Line($"{JobEventText.Clock(piece.Time)}  {workerId}  {piece.Name}: {what}");
        KeptOutput.WriteText(output, piece.Size == 0 ? null : KeptOutput.TextOf([piece]), int.MaxValue);
    }

    /// <summary>One output of one run, so far.</summary>
    private sealed class KeptOutput(string workerId, int attempt, string name)
    {
        private readonly List<OutputPiece> _pieces = [];
        private long _size;
        private ReceiptOutput? _receipt;

        public string WorkerId => workerId;

        public int Attempt => attempt;

        public string Name => name;

        public IReadOnlyList<OutputPiece> Pieces => _pieces;

        public void Add(OutputPiece piece, bool keepBytes)
        {
            _size = piece.Offset + piece.Size;
            _receipt = piece.Receipt ?? _receipt;
            if (keepBytes)
            {
                _pieces.Add(piece);
            }
        }

        public JsonObject ToJson()
        {
            var whole = _pieces.TrueForAll(piece => piece.Bytes is not null);
            var text = whole ? TextOf(_pieces) : null;
            return new JsonObject
            {
                ["name"] = name,
                ["worker_id"] = workerId,
                ["attempt"] = attempt,
                ["size"] = _size,
                ["final"] = _receipt is not null,
                ["truncated"] = _receipt?.Truncated,
                ["blake3"] = _receipt?.Blake3.ToString(),
                ["sha256"] = _receipt?.Sha256.ToString(),
                ["here"] = whole,
                ["text"] = text,
                ["base64"] = whole && text is null
                    ? Convert.ToBase64String([.. _pieces.SelectMany(piece => piece.Bytes!)])
                    : null,
            };
        }

        public void Write(Output output, int lines)
        {
            output.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}: {Names.Count(_size, "byte")}{(_receipt is null ? " so far" : _receipt.Truncated ? ", cut at the limit" : "")}, worker "
                + $"{workerId}, attempt {attempt}"));
            if (_receipt is { } receipt)
            {
                output.Line($"  blake3 {receipt.Blake3}");
                output.Line($"  sha256 {receipt.Sha256}");
            }

            if (_pieces.TrueForAll(piece => piece.Bytes is not null))
            {
                WriteText(output, TextOf(_pieces), lines);
            }
            else
            {
                output.Line("  its bytes are in a blob that is not in this data directory");
            }
        }

        public static string? TextOf(IEnumerable<OutputPiece> pieces)
        {
            try
            {
                return new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true)
                    .GetString([.. pieces.SelectMany(piece => piece.Bytes ?? [])]);
            }
            catch (System.Text.DecoderFallbackException)
            {
                return null;
            }
        }

        public static void WriteText(Output output, string? text, int most)
        {
            var lines = string.IsNullOrEmpty(text) ? [] : SafeText.Lines(text).ToList();
            foreach (var line in lines.Take(most))
            {
                output.Line($"  | {line}");
            }

            if (lines.Count > most)
            {
                output.Line($"  {lines.Count - most} more lines: --raw or --output json has them all");
            }
        }
    }
}
