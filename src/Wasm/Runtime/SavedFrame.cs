namespace MeshLedger.Wasm.Runtime;

/// <summary>Where in a function a guest can stand still.</summary>
internal enum PausePoint : byte
{
    /// <summary>Before the first instruction, its charge taken.</summary>
    Entry,

    /// <summary>At the head of a loop, its charge taken.</summary>
    Loop,

    /// <summary>At a call that has not returned: neither arguments nor results are among the operands.</summary>
    AwaitingCall,

    /// <summary>After a call, its results among the operands.</summary>
    AfterCall,
}

/// <summary>A frame of a paused guest, the same in either tier: words of locals, then of operands (v128 is two, low first).</summary>
/// <param name="Function">Index in the module's function space.</param>
/// <param name="Offset">Of the loop's or call's instruction from the start of the function's body; 0 at the entry.</param>
internal sealed record SavedFrame(int Function, int Offset, PausePoint Point, ulong[] Words);
