using static MeshLedger.Wasm.Tests.Engine.TestModule;

namespace MeshLedger.Wasm.Tests.Engine;

/// <summary>Small functions that the engine's tests share.</summary>
internal static class Programs
{
    public static TheoryData<Tier> Tiers => [Tier.Compiled, Tier.Interpreter, Tier.Adaptive];

    /// <summary>sum(n) = n == 0 ? 0 : n + sum(n - 1), with as many further locals as asked for.</summary>
    public static Module Recursive(int locals = 0) => new TestModule().Function(
        "sum", [I32], [I64], [.. Enumerable.Repeat(I64, locals)],
        [
            0x20, 0, 0x45, 0x04, I64, 0x42, 0, 0x05,
            0x20, 0, 0xAD, 0x20, 0, 0x41, 1, 0x6B, 0x10, 0, 0x7C,
            0x0B,
        ]).Module();

    /// <summary>count(n): adds 1 to a local n times; and for ever().</summary>
    public static Module Loops() => new TestModule()
        .Function(
            "count", [I32], [I32], [I32],
            [
                0x03, 0x40, 0x20, 1, 0x41, 1, 0x6A, 0x22, 1, 0x20, 0, 0x48, 0x0D, 0, 0x0B, 0x20, 1,
            ])
        .Function("ever", [], [], [], [0x03, 0x40, 0x0C, 0, 0x0B])
        .Function("outer", [], [], [], [0x10, 1])
        .Module();

    /// <summary>On a thread with little stack.</summary>
    public static T OnSmallStack<T>(int bytes, Func<T> action)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = action();
            }
            catch (TrapException e)
            {
                failure = e;
            }
        }, bytes);
        thread.Start();
        thread.Join();
        return failure is null ? result : throw failure;
    }
}
