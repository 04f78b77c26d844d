using System.Globalization;
using MeshLedger.Domain.Jobs;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// Runs a guest to its end, on a thread of its own. It is asked to pause now and then, to pass on what it wrote, to save its
/// state, or to be left: nothing of it is touched while it runs, and where it pauses changes nothing of what it comes to.
/// </summary>
internal sealed class WasmRun(
    GuestProgram program, WasmPayload payload, OperationContext context, EngineName engine, TimeProvider time)
{
    /// <summary>How far a program is that runs: nobody knows, so it stays below what an estimate is made from.</summary>
    public const int BasisPoints = 400;

    /// <summary>How soon what the guest wrote is passed on.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan FirstReport = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastReport = TimeSpan.FromSeconds(16);

    /// <summary>Saving takes at most one part in so many of the time.</summary>
    private const int SavingShare = 10;

    private readonly long _began = time.GetTimestamp();
    private long _toldOutput;
    private long _toldErrors;
    private TimeSpan _reportEvery = FirstReport;
    private TimeSpan _reportAt = FirstReport;
    private TimeSpan _saveAt = payload.CheckpointInterval ?? TimeSpan.MaxValue;
    private long _saveMark;

    /// <summary>Returns how the guest ended.</summary>
    public async Task<GuestState> RunAsync(CancellationToken cancellationToken)
    {
        _saveMark = NextMark();
        await using var ticking = time.CreateTimer(_ => program.RequestPause(), null, Tick, Tick);
        await using var stopping = cancellationToken.Register(program.RequestPause);
        return await Task.Factory.StartNew(
            () => Run(cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private GuestState Run(CancellationToken cancellationToken)
    {
        while (true)
        {
            var state = program.Run(PauseMark);
            PassOn();
            if (state != GuestState.Paused)
            {
                return state;
            }

            cancellationToken.ThrowIfCancellationRequested();
            var ran = time.GetElapsedTime(_began);
            if (context.Marks is { } marks)
            {
                marks.Take(program);
            }
            else if (ran >= _saveAt || program.FuelUsed >= _saveMark)
            {
                Save(cancellationToken);
            }

            if (ran >= _reportAt)
            {
                Report("The program runs");
                _reportEvery = _reportEvery < LastReport ? _reportEvery * 2 : LastReport;
                _reportAt = ran + _reportEvery;
            }
        }
    }

    /// <summary>A guest pauses at the first place at which it has used more than this.</summary>
    private long? PauseMark => context.Marks is { } marks
        ? marks.Next - 1
        : _saveMark == long.MaxValue ? null : _saveMark;

    private void Save(CancellationToken cancellationToken)
    {
        var before = time.GetTimestamp();
        if (context.Checkpoints.Record(program.WriteSnapshot, program.FuelUsed, engine, cancellationToken) is { } fault)
        {
            Report($"The state could not be kept, and the program goes on: {fault}");
        }

        if (payload.CheckpointInterval is { } interval)
        {
            var least = SavingShare * time.GetElapsedTime(before);
            _saveAt = time.GetElapsedTime(_began) + (interval > least ? interval : least);
        }

        _saveMark = NextMark();
    }

    /// <summary>The next multiple of what the document asks for.</summary>
    private long NextMark() => payload.CheckpointFuel is { } every
        ? program.FuelUsed > long.MaxValue - every ? long.MaxValue : ((program.FuelUsed / every) + 1) * every
        : long.MaxValue;

    private void Report(string what) => context.Progress(new OperationProgress(
        "execution", BasisPoints, string.Create(CultureInfo.InvariantCulture, $"{what}: {program.FuelUsed:N0} units of fuel used")));

    private void PassOn()
    {
        PassOn("stdout", program.StandardOutput, ref _toldOutput);
        PassOn("stderr", program.StandardError, ref _toldErrors);
    }

    private void PassOn(string name, ReadOnlyMemory<byte> all, ref long told)
    {
        if (all.Length > told)
        {
            context.Output(name, all[(int)told..]);
            told = all.Length;
        }
    }
}
