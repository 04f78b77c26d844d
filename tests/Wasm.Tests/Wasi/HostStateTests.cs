using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

public sealed class HostStateTests
{
    private static readonly GuestOptions Options = new()
    {
        StandardInput = "some input"u8.ToArray(),
        Inputs = [new GuestInput("d/a", 5, () => new MemoryStream("first"u8.ToArray()))],
        ScratchBytes = 100_000,
        StreamBytes = 40,
    };

    [Fact]
    public void What_a_guest_did_is_there_again_after_saving_and_restoring() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            using var guest = new WasiCaller(Options);
            var random = new System.Random(seed);
            Act(guest, random, random.Next(60));
            var saved = HostState.Save(guest.Host);
            using var again = new WasiCaller(Options) { Fuel = guest.Fuel };
            HostStateReader.Restore(again.Host, saved);
            Assert.Equal(saved, HostState.Save(again.Host));
            // And it goes on as it would have without.
            Act(guest, new System.Random(seed + 1), 30);
            Act(again, new System.Random(seed + 1), 30);
            Assert.Equal(HostState.Save(guest.Host), HostState.Save(again.Host));
            Assert.Equal(guest.Host.Memory.BytesUsed, again.Host.Memory.BytesUsed);
            Assert.Equal(guest.Host.Memory.Nodes, again.Host.Memory.Nodes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_damaged_state_is_refused_or_is_another_good_one()
    {
        using var guest = new WasiCaller(Options);
        Act(guest, new System.Random(5), 60);
        var saved = HostState.Save(guest.Host);
        var random = new System.Random(6);
        for (var round = 0; round < 4_000; round++)
        {
            var bytes = saved.ToArray();
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                bytes[random.Next(40, bytes.Length)] = (byte)(random.Next(3) == 0 ? 255 : random.Next(256));
            }
            if (random.Next(4) == 0)
            {
                bytes = bytes[..random.Next(bytes.Length)];
            }
            using var again = new WasiCaller(Options);
            try
            {
                HostStateReader.Restore(again.Host, bytes);
            }
            catch (FormatException)
            {
                continue;
            }
            // Whatever is accepted has one form, and can be gone on with.
            Assert.Equal(bytes, HostState.Save(again.Host));
            Act(again, new System.Random(round), 5);
        }
    }

    [Fact]
    public void Cycles_foreign_nodes_and_sizes_without_end_are_refused()
    {
        using var guest = new WasiCaller(Options);
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "a"));
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "a/b"));
        guest.Put("f", "x");
        var saved = HostState.Save(guest.Host);
        Refused(saved[..^1]);
        Refused([.. saved, 0]);
        // The nodes begin behind magic, version, digest, three counters, two streams of 12 bytes and the next inode.
        var scratch = 4 + 4 + 32 + 24 + 24 + 8 + 4;
        Assert.Equal(1, saved[scratch]);
        // /scratch holds a (inode 3) and f (5); made to hold inode 4, which a holds, or itself, or none.
        foreach (byte inode in new byte[] { 1, 2, 4, 9 })
        {
            var bytes = saved.ToArray();
            bytes[scratch + 33 + 4 + 3] = inode;
            Refused(bytes);
        }
        foreach (var count in new[] { scratch - 4, scratch + 33 })
        {
            var bytes = saved.ToArray();
            bytes.AsSpan(count, 4).Fill(255);
            Refused(bytes);
        }
    }

    [Fact]
    public void A_state_belongs_to_its_options()
    {
        using var guest = new WasiCaller(Options);
        var saved = HostState.Save(guest.Host);
        GuestOptions[] others =
        [
            Options with { Arguments = ["other"] },
            Options with { Environment = [new("A", "B")] },
            Options with { StandardInput = "Some input"u8.ToArray() },
            Options with { Seed = new byte[31].Append((byte)1).ToArray() },
            Options with { Epoch = DateTimeOffset.UnixEpoch.AddTicks(1) },
            Options with { Inputs = [Options.Inputs[0] with { Length = 4 }] },
            Options with { Inputs = [] },
            Options with { ScratchBytes = 99_999 },
            Options with { StreamBytes = 41 },
            Options with { Entry = "other" },
            Options with { Limits = RunLimits.Default with { MemoryPages = 7 } },
        ];
        foreach (var other in others)
        {
            using var again = new WasiCaller(other);
            Assert.Contains(
                "other options", Assert.Throws<FormatException>(() => HostStateReader.Restore(again.Host, saved)).Message, StringComparison.Ordinal);
        }
        using var faster = new WasiCaller(Options with { Tier = Tier.Interpreter, Limits = RunLimits.Default with { Fuel = 7 } });
        HostStateReader.Restore(faster.Host, saved);
    }

    [Fact]
    public void A_guest_with_a_real_file_open_cannot_be_written_down()
    {
        var folder = Directory.CreateTempSubdirectory("wasi");
        using var guest = new WasiCaller(new GuestOptions { Directories = [new("/data", folder.FullName, true)] });
        HostState.Save(guest.Host);
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, OpenFlags.Create, directory: 6));
        Assert.Throws<InvalidOperationException>(() => HostState.Save(guest.Host));
        Assert.Equal(Errno.Success, guest.Call("fd_close", fd));
        var saved = HostState.Save(guest.Host);
        using var again = new WasiCaller(guest.Host.Options);
        HostStateReader.Restore(again.Host, saved);
        Assert.Equal(Errno.Success, again.Stat("a", out _, out _, directory: 6));
        folder.Delete(recursive: true);
    }

    private static void Refused(byte[] bytes)
    {
        using var again = new WasiCaller(Options);
        Assert.Throws<FormatException>(() => HostStateReader.Restore(again.Host, bytes));
    }

    /// <summary>Does a number of things that a guest may do, whether they succeed or not.</summary>
    private static void Act(WasiCaller guest, System.Random random, int steps)
    {
        string[] names = ["a", "b", "c", "a/b", "a/c", "b/a", "a/b/c", "a/b/d", "l", "l/x"];
        string Name() => names[random.Next(names.Length)];
        ulong Fd() => (ulong)random.Next(13);
        ulong Root() => (ulong)random.Next(3, 6);
        for (var i = 0; i < steps; i++)
        {
            switch (random.Next(16))
            {
                case 0: guest.OfPath("path_create_directory", Name(), Root()); break;
                case 1 or 2: guest.Open(Name(), out _, OpenFlags.Create, directory: Root()); break;
                case 3: guest.Open(Name(), out _, OpenFlags.Create, Rights.FdRead | Rights.FdWrite, DescriptorFlags.Append, Root()); break;
                case 4: guest.Open(random.Next(2) == 0 ? "." : "d/a", out _, rights: Rights.OfDirectory | Rights.FdRead, directory: Root()); break;
                case 5 or 6: guest.Write((uint)Fd(), new string((char)('a' + random.Next(3)), random.Next(9_000))); break;
                case 7: guest.Call("fd_seek", Fd(), (ulong)random.Next(20_000), (ulong)random.Next(3), WasiCaller.Result); break;
                case 8: guest.Call("fd_filestat_set_size", Fd(), (ulong)random.Next(20_000)); break;
                case 9: guest.OfPath(random.Next(2) == 0 ? "path_unlink_file" : "path_remove_directory", Name(), Root()); break;
                case 10: guest.OfPaths("path_rename", Name(), Name(), Root(), Root()); break;
                case 11: guest.OfPaths(random.Next(2) == 0 ? "path_link" : "path_symlink", Name(), Name(), Root(), Root()); break;
                case 12: guest.Call("fd_readdir", Fd(), 50_000, (ulong)random.Next(20, 200), (ulong)random.Next(3), WasiCaller.Result); break;
                case 13: guest.Call(random.Next(4) == 0 ? "fd_close" : "fd_sync", Fd()); break;
                case 14: guest.Call("random_get", 50_000, (ulong)random.Next(100)); break;
                default: guest.Call("fd_renumber", Fd(), Fd()); break;
            }
        }
    }
}
