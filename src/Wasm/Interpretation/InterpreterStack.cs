using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>One frame that is running or waiting for another.</summary>
internal unsafe struct FrameRecord
{
    public byte* Frame;

    /// <summary>The caller's call instruction; null for the first frame of a call from the host.</summary>
    public Instruction* Return;

    public int Function;
}

/// <summary>
/// The guest's stack of a store: frames in one block, each beginning at the arguments that its caller left, and their records
/// in another. Both are address space of which the machine gives memory as it is touched; the call depth bounds them, as a
/// frame of n words costs 1 + n / 32 units.
/// </summary>
internal sealed unsafe class InterpreterStack : IDisposable
{
    private const int Slack = 8192;

    private readonly Reservation _frames;
    private readonly Reservation _records;

    public InterpreterStack(int callDepth)
    {
        var depth = (nuint)Math.Max(callDepth, 0);
        _frames = new Reservation(((depth * 32) + Slack) * sizeof(ulong));
        _records = new Reservation((depth + 2) * (nuint)sizeof(FrameRecord));
        Free = _frames.Start;
        Top = (FrameRecord*)_records.Start;
    }

    /// <summary>Where the next call from the host may put its frame.</summary>
    public byte* Free;

    /// <summary>The running frame's record.</summary>
    public FrameRecord* Top;

    /// <summary>The call or charge at which the guest paused.</summary>
    public Instruction* PausedAt;

    /// <summary>Leaves the loop: the frames are saved by whoever called it.</summary>
    public bool Pause(Instruction* at, FrameRecord* top)
    {
        PausedAt = at;
        Top = top;
        return false;
    }

    public void Dispose()
    {
        _frames.Dispose();
        _records.Dispose();
    }
}
