using System.Collections.Immutable;
using System.Globalization;

namespace MeshLedger.Wasm;

/// <summary>Why a guest was stopped. The first group is the specification's, the second are limits of the run.</summary>
public enum TrapKind
{
    Unreachable,
    IntegerDivideByZero,
    IntegerOverflow,
    InvalidConversionToInteger,
    OutOfBoundsMemoryAccess,
    OutOfBoundsTableAccess,
    UndefinedElement,
    UninitializedElement,
    IndirectCallTypeMismatch,
    CallStackExhausted,

    OutOfFuel,
    DeadlineExceeded,
    HostError,
}

/// <summary>One function of a guest's back-trace, innermost first.</summary>
/// <param name="Function">The function's index in its module.</param>
/// <param name="Name">From the module's name section, else from an export, else null.</param>
public sealed record TrapFrame(int Function, string? Name)
{
    public override string ToString() =>
        Name is null
            ? string.Create(CultureInfo.InvariantCulture, $"func[{Function}]")
            : string.Create(CultureInfo.InvariantCulture, $"func[{Function}] <{Name}>");
}

/// <summary>A guest did what ends it, or went over a limit. Its instance may be inspected but not continued.</summary>
public sealed class TrapException : Exception
{
    public TrapException(TrapKind kind, string? detail = null)
        : base(detail is null ? Text(kind) : $"{Text(kind)}: {detail}") => Kind = kind;

    public TrapKind Kind { get; }

    /// <summary>The guest's functions that were running, innermost first; at most 64.</summary>
    public ImmutableArray<TrapFrame> BackTrace { get; internal set; } = [];

    internal bool IsComplete { get; set; }

    /// <summary>The reason in the words of the specification's test suite.</summary>
    public static string Text(TrapKind kind) => kind switch
    {
        TrapKind.Unreachable => "unreachable",
        TrapKind.IntegerDivideByZero => "integer divide by zero",
        TrapKind.IntegerOverflow => "integer overflow",
        TrapKind.InvalidConversionToInteger => "invalid conversion to integer",
        TrapKind.OutOfBoundsMemoryAccess => "out of bounds memory access",
        TrapKind.OutOfBoundsTableAccess => "out of bounds table access",
        TrapKind.UndefinedElement => "undefined element",
        TrapKind.UninitializedElement => "uninitialized element",
        TrapKind.IndirectCallTypeMismatch => "indirect call type mismatch",
        TrapKind.CallStackExhausted => "call stack exhausted",
        TrapKind.OutOfFuel => "out of fuel",
        TrapKind.DeadlineExceeded => "deadline exceeded",
        TrapKind.HostError => "host error",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}

/// <summary>A guest asked to end by itself (<c>proc_exit</c>). Not an error.</summary>
public sealed class GuestExitException(int code) : Exception($"The guest exited with {code}.")
{
    public int Code { get; } = code;
}
