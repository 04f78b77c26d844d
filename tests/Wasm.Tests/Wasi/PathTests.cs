using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>Paths that try to get out, in memory and on a real directory: what holds for one holds for the
/// other.</summary>
public sealed class PathTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("wasi").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    public static TheoryData<string, int> Escapes()
    {
        var data = new TheoryData<string, int>();
        foreach (var path in new[]
        {
            "/etc/passwd", "..", "../", "../outside", "a/../../outside", "./../outside", "a/./../../outside", "absolute",
            "up/outside", "up", "far", "a/up/outside", "chain/outside", "a/../up/../outside",
        })
        {
            data.Add(path, 4);
            data.Add(path, 6);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Escapes))]
    public void No_path_leads_out(string path, int directory)
    {
        using var guest = Guest(writable: true);
        if (directory == 4)
        {
            Prepare(guest);
        }
        Assert.Equal(Errno.Perm, guest.Open(path, out _, directory: (ulong)directory));
        Assert.Equal(Errno.Perm, guest.Open(path + "/new", out _, OpenFlags.Create, directory: (ulong)directory));
        Assert.Equal(Errno.Perm, guest.Stat(path, out _, out _, (ulong)directory));
        Assert.NotEqual(Errno.Success, guest.OfPath("path_create_directory", path + "/new", (ulong)directory));
        Assert.NotEqual(Errno.Success, guest.OfPath("path_unlink_file", path + "/outside", (ulong)directory));
        Assert.NotEqual(Errno.Success, guest.OfPaths("path_rename", "inside", path + "/new", (ulong)directory, (ulong)directory));
        Assert.Equal("secret", File.ReadAllText(Path.Combine(_root, "outside")));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void Links_within_are_followed_and_loops_end(int directory)
    {
        using var guest = Guest(writable: true);
        if (directory == 4)
        {
            Prepare(guest);
        }
        Assert.Equal("text", guest.Get("good", (ulong)directory));
        Assert.Equal("text", guest.Get("a/back/inside", (ulong)directory));
        Assert.Equal(Errno.Loop, guest.Open("loop", out _, directory: (ulong)directory));
        Assert.Equal(Errno.Loop, guest.Open("good", out _, directory: (ulong)directory, follow: false));
        Assert.Equal(Errno.Success, guest.Stat("good", out var type, out _, (ulong)directory, follow: false));
        Assert.Equal(FileType.SymbolicLink, type);
        var (address, length) = guest.Path("good");
        Assert.Equal(Errno.Success, guest.Call("path_readlink", (ulong)directory, address, length, 2_048, 100, WasiCaller.Result));
        Assert.Equal("a/../inside"u8, guest.Bytes(2_048, guest.U32()));
    }

    [Fact]
    public void A_real_directory_serves_files_like_one_in_memory()
    {
        using var guest = Guest(writable: true);
        Assert.Equal(Errno.Success, guest.Open("new", out var fd, OpenFlags.Create, directory: 6));
        Assert.Equal(Errno.Success, guest.Write(fd, "written"));
        Assert.Equal(Errno.Success, guest.Call("fd_filestat_set_size", fd, 5));
        Assert.Equal(Errno.Success, guest.Call("fd_sync", fd));
        Assert.Equal(Errno.Success, guest.Call("fd_filestat_set_times", fd, 1_000_000_007, 5, 1));
        Assert.Equal(Errno.Success, guest.Call("fd_close", fd));
        Assert.Equal("writt", File.ReadAllText(Path.Combine(_root, "given", "new")));
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "d", 6));
        Assert.Equal(Errno.Success, guest.OfPaths("path_rename", "new", "d/moved", 6, 6));
        Assert.Equal(Errno.Success, guest.OfPaths("path_link", "d/moved", "d/again", 6, 6));
        Assert.Equal(Errno.Success, guest.Open("d", out var d, OpenFlags.Directory, directory: 6));
        Assert.Equal(["./", "../", "again", "moved"], guest.List(d, 60));
        Assert.Equal(Errno.Notempty, guest.OfPath("path_remove_directory", "d", 6));
        Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", "again", d));
        Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", "moved", d));
        Assert.Equal(Errno.Success, guest.OfPath("path_remove_directory", "d", 6));
        Assert.Equal(Errno.Xdev, guest.OfPaths("path_rename", "inside", "taken", 6, 4));
        Assert.Equal(Errno.Perm, guest.OfPaths("path_symlink", "../outside", "bad", 6));
        Assert.Equal(Errno.Perm, guest.OfPaths("path_symlink", "/etc", "bad", 6));
    }

    [Fact]
    public void A_real_directory_that_is_not_writable_stays_as_it_is()
    {
        using var guest = Guest(writable: false);
        Assert.Equal("text", guest.Get("inside", 6));
        Assert.Equal(Errno.Rofs, guest.Open("new", out _, OpenFlags.Create, directory: 6));
        Assert.Equal(Errno.Rofs, guest.Open("inside", out _, OpenFlags.Truncate, Rights.FdRead, directory: 6));
        Assert.Equal(Errno.Rofs, guest.Open("inside", out _, 0, Rights.FdWrite, directory: 6));
        Assert.Equal(Errno.Rofs, guest.OfPath("path_unlink_file", "inside", 6));
        Assert.Equal(Errno.Rofs, guest.OfPath("path_create_directory", "d", 6));
        Assert.Equal(Errno.Rofs, guest.OfPath("path_remove_directory", "a", 6));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_rename", "inside", "other", 6, 6));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_link", "inside", "other", 6, 6));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_symlink", "inside", "other", 6));
        var (address, length) = guest.Path("inside");
        Assert.Equal(Errno.Rofs, guest.Call("path_filestat_set_times", 6, 0, address, length, 1, 1, 5));
    }

    [Fact]
    public void Pipes_and_devices_are_not_opened()
    {
        using var guest = Guest(writable: true);
        using var made = System.Diagnostics.Process.Start("mkfifo", Path.Combine(_root, "given", "pipe"));
        made.WaitForExit();
        Assert.Equal(Errno.Notsup, guest.Open("pipe", out _, directory: 6));
    }

    [Fact]
    public async Task A_directory_that_is_exchanged_for_a_link_meanwhile_leads_nowhere()
    {
        using var guest = Guest(writable: true);
        var given = Path.Combine(_root, "given");
        var (x, y) = (Path.Combine(given, "x"), Path.Combine(given, "y"));
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(x).FullName, "outside"), "inside");
        using var stop = new CancellationTokenSource();
        var exchanging = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Directory.Move(x, y);
                File.CreateSymbolicLink(x, "../../" + Path.GetFileName(_root));
                File.Delete(x);
                Directory.Move(y, x);
            }
        });
        var opened = 0;
        for (var i = 0; i < 20_000; i++)
        {
            if (guest.Open("x/outside", out var fd, rights: Rights.FdRead, directory: 6) == Errno.Success)
            {
                Assert.Equal("inside", guest.Read(fd));
                Assert.Equal(Errno.Success, guest.Call("fd_close", fd));
                opened++;
            }
        }
        await stop.CancelAsync();
        await exchanging;
        Assert.InRange(opened, 1, 20_000);
    }

    [Fact]
    public void Names_and_paths_have_a_longest_length_and_directories_a_depth()
    {
        using var guest = new WasiCaller();
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", new string('a', 255)));
        Assert.Equal(Errno.Nametoolong, guest.OfPath("path_create_directory", new string('a', 256)));
        Assert.Equal(Errno.Nametoolong, guest.OfPath("path_create_directory", new string('é', 128)));
        Assert.Equal(Errno.Noent, guest.OfPath("path_unlink_file", string.Concat(Enumerable.Repeat("b/", 2_047)) + "bb"));
        Assert.Equal(Errno.Nametoolong, guest.OfPath("path_unlink_file", string.Concat(Enumerable.Repeat("b/", 2_048)) + "b"));
        var path = "d";
        for (var depth = 1; depth <= WasiLimits.Depth; depth++, path += "/d")
        {
            Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", path));
        }
        Assert.Equal(Errno.Nametoolong, guest.OfPath("path_create_directory", path));
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "e"));
        Assert.Equal(Errno.Nametoolong, guest.OfPaths("path_rename", "d", "e/d"));
    }

    [Fact]
    public void There_are_only_so_many_files()
    {
        using var guest = new WasiCaller();
        var errno = Errno.Success;
        for (var i = 0; errno == Errno.Success; i++)
        {
            Assert.True(i < WasiLimits.Nodes);
            errno = guest.OfPath("path_create_directory", $"d{i}");
        }
        Assert.Equal(Errno.Nospc, errno);
        Assert.Equal(Errno.Success, guest.OfPath("path_remove_directory", "d0"));
        guest.Put("a", "");
        Assert.Equal(Errno.Nospc, guest.OfPaths("path_link", "a", "b"));
    }

    /// <summary>The same tree in /scratch that Guest makes on disk, as far as the guest may make it itself.</summary>
    private static void Prepare(WasiCaller guest)
    {
        guest.Put("inside", "text");
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "a"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "..", "up"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "../..", "a/up"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "..", "a/back"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "a/../../../../etc/passwd", "far"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "../../etc", "absolute"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "a/up", "chain"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "a/../inside", "good"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_symlink", "loop", "loop"));
        Assert.Equal(Errno.Perm, guest.OfPaths("path_symlink", "/etc", "etc"));
    }

    private WasiCaller Guest(bool writable)
    {
        var given = Directory.CreateDirectory(Path.Combine(_root, "given")).FullName;
        File.WriteAllText(Path.Combine(_root, "outside"), "secret");
        File.WriteAllText(Path.Combine(given, "inside"), "text");
        Directory.CreateDirectory(Path.Combine(given, "a"));
        foreach (var (name, target) in new[]
        {
            ("up", ".."), ("a/up", "../.."), ("a/back", ".."), ("far", "a/../../../../etc/passwd"), ("absolute", _root),
            ("chain", "a/up"), ("good", "a/../inside"), ("loop", "loop"),
        })
        {
            File.CreateSymbolicLink(Path.Combine(given, name), target);
        }
        return new WasiCaller(new GuestOptions { Directories = [new GuestDirectory("/data", given, writable)] });
    }
}
