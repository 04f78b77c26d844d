namespace MeshLedger.Wasm;

/// <summary>
/// What a function of the host does. Arguments are in <paramref name="slots"/> in order, a 64-bit word each (i32 and f32 in
/// the low half, the rest zero; v128 takes two); results are to be written there from the start. A trap or
/// <see cref="GuestExitException"/> ends the guest; any other exception becomes a trap with <see cref="TrapKind.HostError"/>.
/// </summary>
public delegate void HostBody(Instance caller, Span<ulong> slots);

/// <summary>A function that can be called, imported or put into a table: a guest's or the host's.</summary>
public sealed class Function
{
    private Function(FunctionType type, Instance? instance, int index, HostBody? body) =>
        (Type, Instance, Index, Body) = (type, instance, index, body);

    public static Function FromHost(FunctionType type, HostBody body) => new(type, null, -1, body);

    internal static Function OfGuest(FunctionType type, Instance instance, int index) => new(type, instance, index, null);

    public FunctionType Type { get; }

    /// <summary>The instance whose code it is; null for the host's.</summary>
    internal Instance? Instance { get; }

    /// <summary>Its index in the instance's function space.</summary>
    internal int Index { get; }

    internal HostBody? Body { get; }
}
