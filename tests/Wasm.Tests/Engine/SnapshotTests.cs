using System.Security.Cryptography;
using MeshLedger.Wasm.Snapshots;

namespace MeshLedger.Wasm.Tests.Engine;

public sealed class SnapshotTests
{
    private static byte[] Paused(Tier tier, Module module, string export, int argument, long mark)
    {
        using var store = new Store(null, tier);
        var execution = Execution.Start(Instance.Instantiate(module, new Imports(), store), export, Value.I32(argument));
        Assert.Equal(ExecutionState.Paused, execution.Run(mark));
        using var snapshot = new MemoryStream();
        execution.WriteSnapshot(snapshot, "host"u8);
        return snapshot.ToArray();
    }

    [Fact]
    public void The_smallest_snapshot_is_these_bytes()
    {
        var module = Programs.Loops();
        var snapshot = Paused(Tier.Interpreter, module, "count", 1_000, 100);
        byte[] expected =
        [
            .. "MLWASMSN"u8, 1, 0, 0, 0, 1, 0, 0, 0, .. module.Hash.Span,
            105, 0, 0, 0, 0, 0, 0, 0, // fuel used
            0, 0, 0, 0, // the function that was called
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // no memory, table, global or segment
            1, 0, 0, 0, // one frame
            0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 0, 0, 0, // of function 0, at the loop at byte 3, of two words
            232, 3, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, // n and the count so far
            4, 0, 0, 0, .. "host"u8,
        ];
        Assert.Equal(Convert.ToHexString([.. expected, .. SHA256.HashData(expected)]), Convert.ToHexString(snapshot));
    }

    [Fact]
    public void Every_tier_writes_the_same_snapshot()
    {
        var snapshots = Enum.GetValues<Tier>().Select(tier => Convert.ToHexString(Paused(tier, Programs.Recursive(3), "sum", 500, 2_345)));
        Assert.Single(snapshots.Distinct());
    }

    [Fact]
    public void A_snapshot_goes_on_in_any_tier_and_ends_as_if_it_had_never_paused()
    {
        var module = Programs.Recursive(2);
        foreach (var from in Enum.GetValues<Tier>())
        {
            var snapshot = Paused(from, module, "sum", 300, 1_234);
            foreach (var to in Enum.GetValues<Tier>())
            {
                using var store = new Store(null, to);
                var instance = Instance.Prepare(module, new Imports(), store);
                var execution = Execution.Resume(instance, new MemoryStream(snapshot), out var host);
                Assert.Equal("host"u8.ToArray(), host);
                Assert.Equal(ExecutionState.Completed, execution.Run());
                Assert.Equal(300 * 301 / 2, execution.Results[0].AsI64());
                Assert.Equal(Uninterrupted(module), execution.FuelUsed);
            }
        }

        static long Uninterrupted(Module module)
        {
            using var store = new Store();
            var execution = Execution.Start(Instance.Instantiate(module, new Imports(), store), "sum", Value.I32(300));
            execution.Run();
            return execution.FuelUsed;
        }
    }

    [Fact]
    public void Any_flipped_bit_of_a_snapshot_is_noticed()
    {
        var module = Programs.Recursive();
        var snapshot = Paused(Tier.Interpreter, module, "sum", 20, 60);
        for (var bit = 0; bit < snapshot.Length * 8; bit++)
        {
            var damaged = (byte[])snapshot.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Refused(module, damaged);
        }
        for (var length = 0; length < snapshot.Length; length++)
        {
            Refused(module, snapshot[..length]);
        }
        Refused(module, [.. snapshot, 0]);
        Refused(Programs.Recursive(1), snapshot);

        static void Refused(Module module, byte[] bytes)
        {
            using var store = new Store();
            var instance = Instance.Prepare(module, new Imports(), store);
            Assert.Throws<FormatException>(() => Execution.Resume(instance, new MemoryStream(bytes), out _));
        }
    }

    [Fact]
    public void What_is_not_paused_cannot_be_written_down()
    {
        using var store = new Store();
        var execution = Execution.Start(Instance.Instantiate(Programs.Loops(), new Imports(), store), "count", Value.I32(3));
        Assert.Throws<InvalidOperationException>(() => execution.WriteSnapshot(Stream.Null, []));
        execution.Run();
        Assert.Throws<InvalidOperationException>(() => execution.WriteSnapshot(Stream.Null, []));
        Assert.Throws<InvalidOperationException>(() => execution.Run());
        Assert.Equal(1, SnapshotFormat.Version);
    }
}
