namespace MeshLedger.Wasm.Tests.Engine;

/// <summary>Calls that go through the host or through other instances, and back, again and again.</summary>
public sealed class CrossingTests
{
    public static TheoryData<Tier> Tiers => Programs.Tiers;

    [Theory]
    [MemberData(nameof(Tiers))]
    public void A_guest_and_its_host_that_call_each_other_trap_before_the_hosts_stack_ends(Tier tier)
    {
        var depth = Programs.OnSmallStack(512 << 10, () =>
        {
            var (deepest, open) = (0, 0);
            using var store = new Store(null, tier);
            var again = Function.FromHost(new FunctionType([], []), (caller, _) =>
            {
                deepest = Math.Max(deepest, ++open);
                caller.Invoke("f");
            });
            var trap = Assert.Throws<TrapException>(() => Calling("f", "host", again, store).Invoke("f"));
            Assert.Equal(TrapKind.CallStackExhausted, trap.Kind);
            return deepest;
        });
        Assert.Equal(Store.MostCrossings, depth);
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Instances_that_call_each_other_trap_before_the_hosts_stack_ends(Tier tier)
    {
        var kind = Programs.OnSmallStack(512 << 10, () =>
        {
            using var store = new Store(null, tier);
            Instance? first = null;
            var back = Function.FromHost(new FunctionType([], []), (_, _) => first!.Invoke("f"));
            first = Calling("f", "second", (Function)Calling("g", "host", back, store).Exports["g"], store);
            var trap = Assert.Throws<TrapException>(() => first.Invoke("f"));
            // What the store counts is as it was: the next call may go as deep.
            Assert.Throws<TrapException>(() => first.Invoke("f"));
            return trap.Kind;
        });
        Assert.Equal(TrapKind.CallStackExhausted, kind);
    }

    /// <summary>A function that calls the one that it imports, out of some frames of its own.</summary>
    private static Instance Calling(string export, string from, Function import, Store store)
    {
        byte[] bytes =
        [
            0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 8, 2, 0x60, 0, 0, 0x60, 1, 0x7F, 0,
            2, (byte)(from.Length + 6), 1, (byte)from.Length, .. System.Text.Encoding.ASCII.GetBytes(from), 1, 0x66, 0, 0,
            3, 3, 2, 0, 1, 7, 5, 1, 1, (byte)export[0], 0, 1,
            // f: recurse 20. recurse n: n == 0 ? import : recurse (n - 1).
            10, 26, 2, 6, 0, 0x41, 20, 0x10, 2, 0x0B, 17, 0, 0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6B, 0x10, 2, 0x05, 0x10, 0, 0x0B, 0x0B,
        ];
        return Instance.Instantiate(Module.Decode(bytes), new Imports().Add(from, "f", import), store);
    }
}
