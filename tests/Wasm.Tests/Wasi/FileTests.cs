using System.Text;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

public sealed class FileTests
{
    private static GuestInput Input(string path, string text) =>
        new(path, text.Length, () => new MemoryStream(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void What_is_written_can_be_read_again()
    {
        using var guest = new WasiCaller();
        guest.Put("a", "hello");
        Assert.Equal("hello", guest.Get("a"));
        Assert.Equal(Errno.Success, guest.Stat("a", out var type, out var size));
        Assert.Equal((FileType.RegularFile, 5ul), (type, size));
    }

    [Fact]
    public void A_file_grows_with_zeros_where_nothing_was_written()
    {
        using var guest = new WasiCaller();
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, OpenFlags.Create));
        guest.Write(fd, "xyz");
        Assert.Equal(Errno.Success, guest.Call("fd_filestat_set_size", fd, 2));
        Assert.Equal(Errno.Success, guest.Call("fd_filestat_set_size", fd, 4));
        Assert.Equal(Errno.Success, guest.Call("fd_seek", fd, 10_000, 0, WasiCaller.Result));
        guest.Write(fd, "end");
        Assert.Equal(Errno.Success, guest.Call("fd_seek", fd, 0, 0, WasiCaller.Result));
        Assert.Equal("xy" + new string('\0', 4_094), guest.Read(fd));
        Assert.Equal(Errno.Success, guest.Call("fd_seek", fd, unchecked((ulong)-4), 2, WasiCaller.Result));
        Assert.Equal("\0end", guest.Read(fd));
    }

    [Fact]
    public void Appending_goes_to_the_end_wherever_the_file_was()
    {
        using var guest = new WasiCaller();
        guest.Put("a", "one");
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, flags: DescriptorFlags.Append));
        guest.Write(fd, "two");
        Assert.Equal("onetwo", guest.Get("a"));
    }

    [Fact]
    public void Seeking_before_the_start_or_beyond_the_last_offset_is_refused()
    {
        using var guest = new WasiCaller();
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, OpenFlags.Create));
        Assert.Equal(Errno.Inval, guest.Call("fd_seek", fd, unchecked((ulong)-1), 0, WasiCaller.Result));
        Assert.Equal(Errno.Success, guest.Call("fd_seek", fd, long.MaxValue, 0, WasiCaller.Result));
        Assert.Equal(Errno.Overflow, guest.Call("fd_seek", fd, 1, 1, WasiCaller.Result));
        Assert.Equal(Errno.Fbig, guest.Write(fd, "x"));
        Assert.Equal(Errno.Spipe, guest.Call("fd_seek", 0, 0, 1, WasiCaller.Result));
    }

    [Fact]
    public void Scratch_holds_no_more_than_its_limit()
    {
        using var guest = new WasiCaller(new GuestOptions { ScratchBytes = 10 });
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, OpenFlags.Create));
        Assert.Equal(Errno.Success, guest.Write(fd, "12345678"));
        Assert.Equal(Errno.Success, guest.Write(fd, "12345678"));
        Assert.Equal(2u, guest.U32());
        Assert.Equal(Errno.Nospc, guest.Write(fd, "x"));
        Assert.Equal(Errno.Nospc, guest.Call("fd_filestat_set_size", fd, long.MaxValue));
        Assert.Equal(Errno.Nospc, guest.Call("fd_allocate", fd, 0, 11));
        Assert.Equal(Errno.Success, guest.Call("fd_close", fd));
        Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", "a"));
        guest.Put("b", "1234567890");
    }

    [Fact]
    public void A_removed_file_lives_and_counts_until_it_is_closed()
    {
        using var guest = new WasiCaller(new GuestOptions { ScratchBytes = 4 });
        guest.Put("a", "text");
        Assert.Equal(Errno.Success, guest.Open("a", out var fd));
        Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", "a"));
        Assert.Equal("text", guest.Read(fd));
        Assert.Equal(4, guest.Host.Memory.BytesUsed);
        Assert.Equal(Errno.Success, guest.Call("fd_close", fd));
        Assert.Equal(0, guest.Host.Memory.BytesUsed);
    }

    [Fact]
    public void Inputs_can_be_read_by_offset_and_not_changed()
    {
        using var guest = new WasiCaller(new GuestOptions { Inputs = [Input("b/two", "second"), Input("a", "first")] });
        Assert.Equal("first", guest.Get("a", 3));
        Assert.Equal("second", guest.Get("b/../b/./two", 3));
        Assert.Equal(Errno.Rofs, guest.Open("a", out _, rights: Rights.FdWrite, directory: 3));
        Assert.Equal(Errno.Rofs, guest.Open("new", out _, OpenFlags.Create, directory: 3));
        Assert.Equal(Errno.Rofs, guest.OfPath("path_unlink_file", "a", 3));
        Assert.Equal(Errno.Rofs, guest.OfPath("path_create_directory", "c", 3));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_rename", "a", "c", 3, 3));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_symlink", "a", "c", 3));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_link", "a", "c", 3, 3));
        Assert.Equal(Errno.Success, guest.Open(".", out var fd, rights: Rights.OfDirectory, directory: 3));
        Assert.Equal(["./", "../", "a", "b/"], guest.List(fd));
    }

    [Theory]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("")]
    [InlineData("a/")]
    public void An_input_with_a_path_that_is_not_plain_is_refused(string path) =>
        Assert.Throws<ArgumentException>(() => new WasiHost(new GuestOptions { Inputs = [Input(path, "")] }));

    [Fact]
    public void Names_are_listed_in_order_in_pieces_of_any_size()
    {
        using var guest = new WasiCaller();
        string[] names = ["b", "a", "longer name", "c", "B", "é"];
        foreach (var name in names)
        {
            guest.Put(name, "");
        }
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "d"));
        for (var piece = 40u; piece < 200; piece++)
        {
            Assert.Equal(["./", "../", "B", "a", "b", "c", "d/", "longer name", "é"], guest.List(4, piece));
        }
    }

    [Fact]
    public void A_directory_can_be_emptied_while_it_is_read()
    {
        using var guest = new WasiCaller();
        for (var i = 0; i < 100; i++)
        {
            guest.Put($"file{i}", "");
        }
        var seen = guest.List(4, 100, name =>
        {
            if (!name.EndsWith('/'))
            {
                Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", name));
            }
        });
        Assert.Equal(102, seen.Distinct().Count());
        Assert.Equal(["./", "../"], guest.List(4));
    }

    [Fact]
    public void Directories_are_made_moved_and_removed_as_on_a_disk()
    {
        using var guest = new WasiCaller();
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "a"));
        Assert.Equal(Errno.Success, guest.OfPath("path_create_directory", "a/b/"));
        Assert.Equal(Errno.Exist, guest.OfPath("path_create_directory", "a"));
        Assert.Equal(Errno.Noent, guest.OfPath("path_create_directory", "x/y"));
        guest.Put("a/b/f", "text");
        Assert.Equal(Errno.Notempty, guest.OfPath("path_remove_directory", "a"));
        Assert.Equal(Errno.Inval, guest.OfPaths("path_rename", "a", "a/b/c"));
        Assert.Equal(Errno.Success, guest.OfPaths("path_rename", "a/b", "moved", 4, 5));
        Assert.Equal("text", guest.Get("moved/f", 5));
        Assert.Equal(Errno.Success, guest.OfPath("path_remove_directory", "a"));
        Assert.Equal(Errno.Notdir, guest.OfPath("path_remove_directory", "moved/f", 5));
        Assert.Equal(Errno.Isdir, guest.OfPath("path_unlink_file", "moved", 5));
        Assert.Equal(Errno.Notdir, guest.Open("moved/f/", out _, directory: 5));
        Assert.Equal(Errno.Rofs, guest.OfPaths("path_rename", "moved", "moved", 5, 3));
    }

    [Fact]
    public void Hard_links_are_one_file()
    {
        using var guest = new WasiCaller();
        guest.Put("a", "one");
        Assert.Equal(Errno.Success, guest.OfPaths("path_link", "a", "b"));
        Assert.Equal(Errno.Success, guest.OfPath("path_unlink_file", "a"));
        Assert.Equal("one", guest.Get("b"));
        Assert.Equal(3, guest.Host.Memory.Nodes);
    }

    [Fact]
    public void Descriptors_have_the_lowest_free_number_and_end_at_the_limit()
    {
        using var guest = new WasiCaller();
        var errno = Errno.Success;
        uint last = 0;
        for (var i = 0; i < 2_000 && errno == Errno.Success; i++)
        {
            errno = guest.Open("a", out last, OpenFlags.Create);
        }
        Assert.Equal(Errno.Mfile, errno);
        Assert.Equal(Errno.Success, guest.Call("fd_close", 77));
        Assert.Equal(Errno.Success, guest.Open("a", out var fd));
        Assert.Equal(77u, fd);
        Assert.Equal(Errno.Badf, guest.Call("fd_close", 1_024));
        Assert.Equal(Errno.Success, guest.Call("fd_renumber", 77, 8));
        Assert.Equal(Errno.Badf, guest.Call("fd_close", 77));
    }

    [Fact]
    public void Rights_can_be_given_up_and_never_gained()
    {
        using var guest = new WasiCaller();
        guest.Put("a", "text");
        Assert.Equal(Errno.Success, guest.Open("a", out var fd, rights: Rights.FdRead | Rights.FdSeek));
        Assert.Equal(Errno.Badf, guest.Write(fd, "x"));
        Assert.Equal(Errno.Notcapable, guest.Call("fd_fdstat_set_rights", fd, (ulong)Rights.FdWrite, 0));
        Assert.Equal(Errno.Success, guest.Call("fd_fdstat_set_rights", fd, (ulong)Rights.FdRead, 0));
        Assert.Equal(Errno.Notcapable, guest.Call("fd_seek", fd, 0, 0, WasiCaller.Result));
        Assert.Equal("text", guest.Read(fd));
        Assert.Equal(Errno.Success, guest.Call("fd_fdstat_set_rights", 4, (ulong)Rights.PathOpen, (ulong)Rights.FdRead));
        Assert.Equal(Errno.Notcapable, guest.Open("b", out _, OpenFlags.Create));
        Assert.Equal(Errno.Success, guest.Open("a", out fd));
        Assert.Equal(Errno.Badf, guest.Write(fd, "x"));
    }

    [Fact]
    public void Streams_keep_what_fits_and_count_what_does_not()
    {
        using var guest = new WasiCaller(new GuestOptions { StreamBytes = 5, StandardInput = "input"u8.ToArray() });
        Assert.Equal("in", guest.Read(0, 2));
        Assert.Equal("put", guest.Read(0));
        Assert.Equal("", guest.Read(0));
        Assert.Equal(Errno.Success, guest.Write(1, "1234"));
        Assert.Equal(Errno.Success, guest.Write(1, "5678"));
        Assert.Equal(4u, guest.U32());
        Assert.Equal("12345", Encoding.UTF8.GetString(guest.Host.Output.Content.Span));
        Assert.Equal(3, guest.Host.Output.Dropped);
        Assert.Equal(Errno.Badf, guest.Write(0, "x"));
    }
}
