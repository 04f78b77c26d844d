using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

public sealed class ProcessTests
{
    [Fact]
    public void Arguments_and_environment_are_laid_out_as_a_program_expects()
    {
        using var guest = new WasiCaller(new GuestOptions
        {
            Arguments = ["guest", "zwölf", ""],
            Environment = [new("B", "1"), new("A", "=x")],
        });
        Assert.Equal(Errno.Success, guest.Call("args_sizes_get", 0, 4));
        Assert.Equal((3u, 14u), (guest.U32(0), guest.U32(4)));
        Assert.Equal(Errno.Success, guest.Call("args_get", 100, 200));
        Assert.Equal([200u, 206u, 213u], new[] { guest.U32(100), guest.U32(104), guest.U32(108) });
        Assert.Equal("guest\0zwölf\0\0", Encoding.UTF8.GetString(guest.Bytes(200, 14)));
        Assert.Equal(Errno.Success, guest.Call("environ_get", 100, 200));
        Assert.Equal("B=1\0A==x\0", Encoding.UTF8.GetString(guest.Bytes(200, 9)));
    }

    [Fact]
    public void Time_passes_with_fuel_and_with_sleep()
    {
        var epoch = DateTimeOffset.UnixEpoch.AddDays(20_000);
        using var guest = new WasiCaller(new GuestOptions { Epoch = epoch });
        var start = (ulong)(epoch - DateTimeOffset.UnixEpoch).Ticks * 100;
        Assert.Equal(Errno.Success, guest.Call("clock_time_get", 0, 0, 0));
        Assert.Equal(start, guest.U64(0));
        Assert.Equal(Errno.Success, guest.Call("clock_time_get", 1, 0, 0));
        Assert.Equal(1ul, guest.U64(0));
        Assert.Equal(1u, Poll(guest, (0, 1, 5_000_000_000, 0)));
        Assert.Equal(Errno.Success, guest.Call("clock_time_get", 1, 0, 0));
        Assert.Equal(5_000_000_000ul + (ulong)guest.Fuel - 1, guest.U64(0));
        Assert.Equal(Errno.Success, guest.Call("clock_time_get", 2, 0, 0));
        Assert.Equal((ulong)guest.Fuel - 1, guest.U64(0));
        Assert.Equal(Errno.Inval, guest.Call("clock_time_get", 4, 0, 0));
        Assert.Equal(Errno.Success, guest.Call("clock_res_get", 0, 0));
        Assert.Equal(1ul, guest.U64(0));
    }

    [Fact]
    public void Polling_gives_what_is_ready_or_else_the_earliest_clocks()
    {
        using var guest = new WasiCaller(new GuestOptions { StandardInput = new byte[7] });
        // Two clocks, the second of which is due first, and one at the same absolute time.
        Assert.Equal(2u, Poll(guest, (0, 1, 900, 0), (0, 1, 300, 0), (0, 1, 300, 1)));
        Assert.Equal([301ul, 302ul], Events(guest, 2).Select(one => one.User));
        var slept = guest.Host.Clock.Slept;
        Assert.Equal(300ul, slept);
        Assert.Equal(2u, Poll(guest, (0, 1, 900, 0), (1, 0, 0, 0), (2, 1, 0, 0)));
        Assert.Equal([(301ul, Errno.Success, 7ul), (302ul, Errno.Success, 0ul)], Events(guest, 2));
        Assert.Equal(slept, guest.Host.Clock.Slept);
        Assert.Equal(2u, Poll(guest, (1, 99, 0, 0), (0, 2, 1, 0)));
        Assert.Equal([(300ul, Errno.Badf, 0ul), (301ul, Errno.Notsup, 0ul)], Events(guest, 2));
        Assert.Equal(Errno.Inval, guest.Call("poll_oneoff", 0, 0, 0, WasiCaller.Result));
    }

    [Fact]
    public void Sleeping_for_ever_ends_at_the_end_of_time()
    {
        using var guest = new WasiCaller();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(1u, Poll(guest, (0, 1, ulong.MaxValue, 0)));
            Assert.Equal(Errno.Success, guest.Call("clock_time_get", 0, 0, 0));
        }
    }

    [Fact]
    public void Random_bytes_are_the_documented_stream_of_the_seed()
    {
        var seed = SHA256.HashData("seed"u8);
        using var guest = new WasiCaller(new GuestOptions { Seed = seed });
        var expected = new List<byte>();
        for (ulong block = 0; block < 5; block++)
        {
            var index = new byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(index, block);
            expected.AddRange(SHA256.HashData([.. seed, .. index]));
        }
        Assert.Equal(Errno.Success, guest.Call("random_get", 0, 1));
        Assert.Equal(Errno.Success, guest.Call("random_get", 1, 70));
        Assert.Equal(Errno.Success, guest.Call("random_get", 71, 89));
        Assert.Equal(expected, guest.Bytes(0, 160).ToArray());
        using var zero = new WasiCaller();
        Assert.Equal(Errno.Success, zero.Call("random_get", 0, 8));
        Assert.Equal("2C34CE1DF23B838C", Convert.ToHexString(zero.Bytes(0, 8)));
    }

    [Fact]
    public void Leaving_and_signals_end_the_guest()
    {
        using var guest = new WasiCaller();
        Assert.Equal(7, Assert.Throws<GuestExitException>(() => guest.Call("proc_exit", 7)).Code);
        Assert.Equal(134, Assert.Throws<GuestExitException>(() => guest.Call("proc_raise", 6)).Code);
        Assert.Equal(Errno.Success, guest.Call("proc_raise", 16));
        Assert.Equal(Errno.Inval, guest.Call("proc_raise", 31));
        Assert.Equal(Errno.Success, guest.Call("sched_yield"));
        Assert.Equal(Errno.Notsock, guest.Call("sock_shutdown", 1, 0));
        Assert.Equal(Errno.Badf, guest.Call("sock_accept", 9, 0, 0));
    }

    [Fact]
    public void The_given_directories_have_names_and_other_descriptors_none()
    {
        using var guest = new WasiCaller();
        var names = new List<string>();
        for (ulong fd = 3; guest.Call("fd_prestat_get", fd, 0) == Errno.Success; fd++)
        {
            Assert.Equal(0u, guest.U32(0));
            var length = guest.U32(4);
            Assert.Equal(Errno.Nametoolong, guest.Call("fd_prestat_dir_name", fd, 100, length - 1));
            Assert.Equal(Errno.Success, guest.Call("fd_prestat_dir_name", fd, 100, length));
            names.Add(Encoding.UTF8.GetString(guest.Bytes(100, length)));
        }
        Assert.Equal(["/in", "/scratch", "/out"], names);
        Assert.Equal(Errno.Badf, guest.Call("fd_prestat_get", 1, 0));
    }

    // Every function with arguments that are small, at the edge of the memory, or as large as can be.
    [Fact]
    public void No_argument_makes_the_host_throw_or_work_long()
    {
        var random = new Random(1);
        ulong[] values =
            [0, 1, 2, 3, 4, 5, 6, 63, 64, 1_000, 262_143, 262_144, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff, ulong.MaxValue];
        foreach (var name in WasiCaller.Names.Where(name => name is not ("proc_exit" or "proc_raise")))
        {
            using var guest = new WasiCaller(new GuestOptions { ScratchBytes = 1 << 20 });
            guest.Put("a", "text");
            guest.Open("a", out _);
            for (var round = 0; round < 1_500; round++)
            {
                random.NextBytes(guest.Bytes((uint)random.Next(200_000), 64));
                guest.Path("a");
                var arguments = new ulong[guest.Parameters(name)];
                for (var i = 0; i < arguments.Length; i++)
                {
                    arguments[i] = values[random.Next(values.Length)];
                }
                var before = guest.Fuel;
                guest.Call(name, arguments);
                Assert.InRange(guest.Fuel - before, 1, 20_000_000);
            }
            HostState.Save(guest.Host);
        }
    }

    private static uint Poll(WasiCaller guest, params (byte Type, uint What, ulong Timeout, ushort Flags)[] subscriptions)
    {
        const uint Area = 30_000;
        for (var i = 0u; i < subscriptions.Length; i++)
        {
            var (type, what, timeout, flags) = subscriptions[i];
            var at = guest.Bytes(Area + (48 * i), 48);
            at.Clear();
            BinaryPrimitives.WriteUInt64LittleEndian(at, 300 + i);
            at[8] = type;
            BinaryPrimitives.WriteUInt32LittleEndian(at[16..], what);
            BinaryPrimitives.WriteUInt64LittleEndian(at[24..], timeout);
            BinaryPrimitives.WriteUInt16LittleEndian(at[40..], flags);
        }
        Assert.Equal(Errno.Success, guest.Call("poll_oneoff", Area, Area + 1_000, (ulong)subscriptions.Length, WasiCaller.Result));
        return guest.U32();
    }

    private static List<(ulong User, Errno Errno, ulong Bytes)> Events(WasiCaller guest, uint count) =>
        [.. Enumerable.Range(0, (int)count).Select(i => (uint)(31_000 + (32 * i)))
            .Select(at => (guest.U64(at), (Errno)(ushort)guest.U32(at + 8), guest.U64(at + 16)))];
}
