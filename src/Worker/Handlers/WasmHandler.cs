using System.Globalization;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Machines;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// <c>vm.execute</c> of format <c>wasm</c>: runs a WebAssembly module, which is a blob, in this process, metered, and so
/// that everybody who runs the document gets the same. Outputs: <c>stdout</c>, <c>stderr</c>, <c>files/out/path</c> for
/// every file that it left under <c>/out</c>, and <c>result</c> if its entry gives a number.
/// </summary>
internal sealed class WasmHandler(HandlerOptions options, TimeProvider time) : IOperationHandler
{
    public const string EngineName = "meshledger-wasm";

    /// <summary>Under which a seed is derived from a document's digest.</summary>
    private const string SeedContext = "meshledger vm.execute.v1 wasm seed";

    /// <summary>The most files that one run may leave.</summary>
    private const int MaxOutputs = 256;

    // The decoded module, its code and the engine.
    private const long EngineMb = 64;
    private const long CodeOfModule = 8;

    private static readonly EngineName Engine = new(
        EngineName, typeof(Module).Assembly.GetName().Version!.ToString(3));

    private readonly BlobFetcher _blobs = options.Blobs;
    private readonly ProgramBlobs _programs = new(options.Blobs);

    public IReadOnlyList<string> Operations { get; } = [JobSubmission.ExecuteOperation];

    public bool HasNeeds => true;

    /// <summary>One processor; the guest's memory, its files, its output and its code; on disk the module, its inputs, its
    /// outputs, and a state if it is saved.</summary>
    public HandlerNeeds Needs(JobDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        var read = WasmPayload.Read(document, new PayloadReader());
        var payload = read ?? new WasmPayload { Hash = default };
        var program = payload.Size ?? (read is null ? null : _blobs.Store.SizeOf(payload.Hash)) ?? 1 << 20;
        var inputs = payload.Inputs.Sum(input => input.Size ?? _blobs.Store.SizeOf(input.Hash) ?? 0);
        var kept = payload.MemoryMb + payload.ScratchMb + (2 * payload.OutputBytes >> 20);
        return new HandlerNeeds(
            1,
            EngineMb + (CodeOfModule * program >> 20) + kept,
            (program + inputs + payload.Stdin.Length >> 20) + 1 + payload.ScratchMb + (payload.HasCheckpoints ? kept : 0));
    }

    /// <summary>What a directory of the worker's holds is the worker's.</summary>
    public bool IsDeterministic(JobDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        return WasmPayload.Read(document, new PayloadReader()) is null or { Directories.Count: 0 };
    }

    public async Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var began = time.GetTimestamp();
        context.Progress(new OperationProgress("validation", 0, "Checking the payload"));
        var reader = new PayloadReader();
        if (WasmPayload.Read(context.Document, reader) is not { } payload)
        {
            return reader.ToResult(Engine.Name, Engine.Version);
        }

        var result = new OperationResult { EngineName = Engine.Name, EngineVersion = Engine.Version, Program = payload.Hash };
        if (payload.Directories.FirstOrDefault(path => options.WasmDirectories.All(own => own.GuestPath != path)) is { } missing)
        {
            return result with
            {
                Error = Failure("DIRECTORY_UNAVAILABLE", $"This worker offers no directory {missing}; another may.", recoverable: true),
            };
        }

        var (bytes, inputs, error) = await _programs.FetchAsync(
            payload.Blobs, payload.Inputs, 100, context, cancellationToken);
        if (error is not null)
        {
            return result with { Error = error };
        }

        context.Progress(new OperationProgress("compile", 200, "Checking the module"));
        try
        {
            var module = Module.Decode(bytes);
            var limit = Limit(payload, context.Document.Execution.TimeoutSeconds);
            var given = OptionsOf(payload, context.Document, inputs, limit - time.GetElapsedTime(began));
            using var program = await ResumeAsync(module, given, payload, context, cancellationToken)
                ?? GuestProgram.Start(module, given);
            context.Progress(new OperationProgress("execution", WasmRun.BasisPoints, "The program runs"));
            var state = await new WasmRun(program, payload, context, Engine, time).RunAsync(cancellationToken);
            result = Told(result, program, payload, context, state, limit);
            context.Progress(new OperationProgress("complete", 10_000, result.Error?.Message ?? "The program ended"));
            return result;
        }
        catch (Exception fault) when (fault is MalformedModuleException or InvalidModuleException or ModuleLimitException
            or LinkException)
        {
            return result with { Error = Failure("NOT_EXECUTABLE", $"The module cannot run: {fault.Message}") };
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return result with
            {
                Error = Failure("DIRECTORY_UNAVAILABLE", $"A directory of this worker's cannot be opened: {fault.Message}", recoverable: true),
            };
        }
        catch (TrapException trap)
        {
            return result with { Error = WasmOutcome.Of(trap, payload, Limit(payload, context.Document.Execution.TimeoutSeconds)) };
        }
        catch (Exception lost) when (lost is BlobDamagedException or BlobNotFoundException)
        {
            // What was damaged is in quarantine now; the next attempt fetches it anew.
            return result with { Error = ProgramBlobs.Error("BLOB_DAMAGED", lost.Message, recoverable: true) };
        }
    }

    private static TimeSpan Limit(WasmPayload payload, long timeoutSeconds) =>
        TimeSpan.FromSeconds(Math.Min(payload.Seconds ?? long.MaxValue, Math.Clamp(timeoutSeconds, 1, 4_000_000)));

    private GuestOptions OptionsOf(
        WasmPayload payload, JobDocument document, IReadOnlyList<MicroVmInput> inputs, TimeSpan left) => new()
        {
            Arguments = ["program", .. payload.Arguments],
            Environment = [.. payload.Environment],
            StandardInput = payload.Stdin,
            Seed = payload.Seed ?? SeedOf(document.Sha256),
            Epoch = payload.Epoch ?? document.CreatedAt,
            Inputs = [.. inputs.Select(input => new GuestInput(input.Path["/in/".Length..], input.Size, input.Open))],
            ScratchBytes = (long)payload.ScratchMb << 20,
            StreamBytes = payload.OutputBytes,
            Entry = payload.Entry,
            Limits = new RunLimits
            {
                MemoryPages = payload.MemoryPages,
                TableEntries = payload.TableEntries,
                CallDepth = payload.CallDepth,
                Fuel = payload.Fuel,
                Time = left > TimeSpan.Zero ? left : TimeSpan.Zero,
            },
            Tier = options.WasmTier,
            Directories = [.. options.WasmDirectories.Where(directory => payload.Directories.Contains(directory.GuestPath))],
        };

    /// <summary>The seed of a document that names none: everybody who has the document has it.</summary>
    internal static byte[] SeedOf(Digest document)
    {
        var hasher = Blake3Hasher.DeriveKey(SeedContext);
        hasher.Update(Convert.FromHexString(document.ToString()));
        var seed = new byte[32];
        hasher.Finish(seed);
        return seed;
    }

    /// <summary>The guest at the latest checkpoint that is of any use. Where none is, the guest begins at the beginning, and
    /// the ledger is told why.</summary>
    private async Task<GuestProgram?> ResumeAsync(
        Module module, GuestOptions given, WasmPayload payload, OperationContext context,
        CancellationToken cancellationToken)
    {
        if (!payload.HasCheckpoints)
        {
            return null;
        }

        var useless = new List<string>();
        foreach (var saved in context.Checkpoints.Saved)
        {
            var name = string.Create(
                CultureInfo.InvariantCulture, $"checkpoint {saved.Name.Sequence} of attempt {saved.Name.Attempt}");
            try
            {
                context.Progress(new OperationProgress("resume", 300, $"Fetching {name}"));
                await _blobs.FetchAsync(saved.Name.State, saved.Checkpoint.Size, progress: null, cancellationToken);
                await using var snapshot = _blobs.Store.OpenRead(saved.Name.State);
                var program = GuestProgram.Resume(module, given, snapshot);
                context.Checkpoints.Resumed(saved);
                context.Progress(new OperationProgress("resume", 300, $"Going on from {name}, by {saved.Worker}{Unless(useless)}"));
                return program;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // Another worker made it: whatever it is that is wrong with it, there is another way.
                context.Checkpoints.NotResumed(saved, exception.Message);
                useless.Add($"{name} is of no use: {exception.Message}");
            }
        }

        if (useless.Count > 0)
        {
            context.Progress(new OperationProgress("resume", 300, $"Beginning at the beginning{Unless(useless)}"));
        }

        return null;

        static string Unless(List<string> useless) => useless.Count == 0 ? "" : $": {string.Join("; ", useless)}";
    }

    private OperationResult Told(
        OperationResult result, GuestProgram program, WasmPayload payload, OperationContext context, GuestState state,
        TimeSpan limit)
    {
        var files = program.Outputs;
        var hasEnded = state == GuestState.Exited;
        return result with
        {
            Error = hasEnded
                ? WasmOutcome.Of(program.ExitCode ?? 0, files, payload, MaxOutputs)
                : WasmOutcome.Of(program.Trap!, payload, limit),
            ExitCode = program.ExitCode,
            Outputs = OutputsOf(program, files, payload),
            Guest = new GuestAccount
            {
                Fuel = program.FuelUsed,
                FuelTable = WasmEngine.FuelTable,
                Tier = GuestAccount.Tiers[(int)options.WasmTier],
                Result = program.Result?.ToString(CultureInfo.InvariantCulture),
                StateDigest = hasEnded ? StateDigest(program) : null,
                Checkpoints = context.Checkpoints.Count,
                ResumedFrom = context.Checkpoints.ResumedFrom,
            },
        };
    }

    private static List<OperationOutput> OutputsOf(GuestProgram program, IReadOnlyList<GuestOutput> files, WasmPayload payload)
    {
        var (most, isCut) = ((int)payload.OutputBytes, program.DroppedBytes > 0);
        List<OperationOutput> outputs =
        [
            new("stdout", program.StandardOutput, isCut && program.StandardOutput.Length >= most),
            new("stderr", program.StandardError, isCut && program.StandardError.Length >= most),
            .. files.Where(file => OutputName.IsLegal(WasmOutcome.NameOf(file))).Take(MaxOutputs).Select(file => new OperationOutput(
                WasmOutcome.NameOf(file), file.Content[..Math.Min(file.Content.Length, most)], file.Content.Length > most)),
        ];
        if (program.Result is { } value)
        {
            // As a string: a JSON number would not keep it everywhere.
            var text = string.Create(CultureInfo.InvariantCulture, $"\"{value}\"");
            outputs.Add(new OperationOutput(JobResultWriter.ResultOutput, System.Text.Encoding.UTF8.GetBytes(text), false));
        }

        return outputs;
    }

    private static BlobHash StateDigest(GuestProgram program)
    {
        using var hashing = new HashingStream();
        program.WriteState(hashing);
        return hashing.Finish();
    }

    private static OperationError Failure(string code, string message, bool recoverable = false) =>
        new(code, message, "execution", recoverable);
}
