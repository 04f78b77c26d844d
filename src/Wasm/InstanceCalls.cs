using MeshLedger.Wasm.Compilation;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

// Calls between host, guest and other instances.
public sealed unsafe partial class Instance
{
    /// <summary>
    /// Calls an exported function on this thread, without pausing. Throws <see cref="TrapException"/>,
    /// <see cref="GuestExitException"/>, or <see cref="ArgumentException"/> when there is no such function or the arguments are of
    /// other types.
    /// </summary>
    public Value[] Invoke(string export, params ReadOnlySpan<Value> arguments) => Invoke(ExportedFunction(export), arguments);

    internal int ExportedFunction(string export) =>
        Exports.GetValueOrDefault(export) is Function
            ? Array.Find(Module.Exports, e => e.Name == export)!.Index
            : throw new ArgumentException($"The module exports no function '{export}'.", nameof(export));

    internal Value[] Invoke(int function, ReadOnlySpan<Value> arguments)
    {
        var type = Module.FunctionTypeOf(function);
        var slots = Marshal(type, arguments);
        var outer = (Owner.Pausable, Owner.Running);
        Owner.Pausable = false;
        if (outer.Running is null)
        {
            Owner.Begin(this, Owner.UsedBefore);
        }
        else
        {
            Fuel = outer.Running.Fuel;
        }
        Owner.Running = this;
        try
        {
            Enter(function, slots);
        }
        catch (TrapException trap) when (!BackTraces.Completes(trap))
        {
            throw;
        }
        finally
        {
            (Owner.Pausable, Owner.Running) = outer;
            if (outer.Running is { } running)
            {
                running.Fuel = Fuel;
            }
            else
            {
                Owner.UsedBefore = Owner.Used(this);
            }
        }
        return Values(type, slots);
    }

    /// <summary>Runs a function with its arguments in slots, where its results will be. The store must have begun.</summary>
    internal void Enter(int function, Span<ulong> slots)
    {
        ObjectDisposedException.ThrowIf(_freed, this);
        if (function < _imported.Length)
        {
            CallImport(function, slots, Owner.DepthLeft);
        }
        else
        {
            Run(function, slots, Owner.DepthLeft);
        }
    }

    /// <summary>An imported function of the host or of another instance.</summary>
    internal void CallImport(int function, Span<ulong> slots, int depth) => Call(_imported[function], slots, depth);

    /// <summary>A function of the host or of another instance by its handle.</summary>
    internal void CallForeign(ulong handle, Span<ulong> slots, int depth) => Call(Owner.FunctionAt(handle)!, slots, depth);

    internal static ulong[] Marshal(FunctionType type, ReadOnlySpan<Value> arguments)
    {
        if (arguments.Length != type.Parameters.Length)
        {
            throw new ArgumentException($"The function takes {type}; {arguments.Length} arguments are given.", nameof(arguments));
        }
        var slots = new ulong[Math.Max(type.ParameterWords, type.ResultWords)];
        var at = 0;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Type != type.Parameters[i])
            {
                throw new ArgumentException($"The function takes {type}; argument {i} is {arguments[i].Type.Name()}.", nameof(arguments));
            }
            slots[at++] = arguments[i].Low;
            if (arguments[i].Type == ValueType.V128)
            {
                slots[at++] = arguments[i].High;
            }
        }
        return slots;
    }

    internal static Value[] Values(FunctionType type, ReadOnlySpan<ulong> slots)
    {
        var values = new Value[type.Results.Length];
        var at = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var wide = type.Results[i] == ValueType.V128;
            var low = type.Results[i] is ValueType.I32 or ValueType.F32 ? (uint)slots[at] : slots[at];
            values[i] = new Value(type.Results[i], low, wide ? slots[at + 1] : 0);
            at += wide ? 2 : 1;
        }
        return values;
    }

    private void Run(int function, Span<ulong> slots, int depth)
    {
        if (Owner.Tier != Tier.Interpreter)
        {
            StackLimit = HostStack.LimitFor(Module);
            CompiledCode.Call(this, function, slots, depth);
            while (Owner.Unwinding && Owner.Reenter(this))
            {
                CompiledCode.Resume(this, slots, depth);
            }
        }
        else
        {
            Interpreter.Call(this, function, slots, depth);
        }
    }

    /// <summary>Goes on with the store's saved frames in compiled code, until the outermost ends or the guest pauses.</summary>
    internal void Continue(Span<ulong> slots)
    {
        ObjectDisposedException.ThrowIf(_freed, this);
        StackLimit = HostStack.LimitFor(Module);
        do
        {
            CompiledCode.Resume(this, slots, Owner.DepthLeft);
        }
        while (Owner.Unwinding && Owner.Reenter(this));
    }

    private void Call(Function target, Span<ulong> slots, int depth)
    {
        var (pausable, depthLeft, running) = (Owner.Pausable, Owner.DepthLeft, Owner.Running);
        if (Owner.Crossings == Store.MostCrossings)
        {
            throw new TrapException(TrapKind.CallStackExhausted, "calls between instances and the host are nested too deeply");
        }
        Owner.Crossings++;
        Owner.Pausable = false;
        Owner.DepthLeft = depth;
        try
        {
            if (target.Instance is { } other)
            {
                other.Fuel = Fuel;
                Owner.Running = other;
                try
                {
                    other.Run(target.Index, slots, depth);
                }
                finally
                {
                    Fuel = other.Fuel;
                }
            }
            else
            {
                CallHost(target.Body!, slots);
            }
        }
        finally
        {
            (Owner.Pausable, Owner.DepthLeft, Owner.Running) = (pausable, depthLeft, running);
            Owner.Crossings--;
        }
    }

    private void CallHost(HostBody body, Span<ulong> slots)
    {
        Owner.Running = this;
        try
        {
            body(this, slots);
        }
        catch (Exception e) when (e is not (TrapException or GuestExitException or OutOfMemoryException))
        {
            // Whatever goes wrong in the host ends this guest, not the process; the cause stays visible.
            throw new TrapException(TrapKind.HostError, e.Message);
        }
    }
}
