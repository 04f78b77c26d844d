using System.Buffers.Binary;
using System.Text;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>A guest that is only a memory: it calls functions of preview 1 by name, as a module would by
/// import.</summary>
internal sealed class WasiCaller : IDisposable
{
    public const uint Result = 64;
    private const uint PathArea = 1_024;
    private const uint SecondPathArea = 9_216;
    private const uint VectorArea = 512;
    private const uint DataArea = 20_480;

    private readonly Dictionary<string, (FunctionType Type, WasiFunction Body)> _functions;

    public WasiCaller(GuestOptions? options = null)
    {
        Host = new WasiHost(options ?? new GuestOptions());
        _functions = WasiFunctions.Of(Host);
    }

    public WasiHost Host { get; }

    public Memory Memory { get; } = new(4);

    public long Fuel { get; set; }

    public static IEnumerable<string> Names
    {
        get
        {
            using var caller = new WasiCaller();
            return [.. caller._functions.Keys];
        }
    }

    public Errno Call(string name, params ulong[] arguments)
    {
        var (type, body) = _functions[name];
        Assert.Equal(type.ParameterWords, arguments.Length);
        var call = new WasiCall(Memory, arguments, Fuel);
        var errno = body(ref call);
        Fuel += call.Fuel;
        return errno;
    }

    public int Parameters(string name) => _functions[name].Type.ParameterWords;

    public uint U32(uint at = Result) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(at, 4));

    public ulong U64(uint at = Result) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(at, 8));

    public Span<byte> Bytes(uint at, uint length)
    {
        Assert.True(Memory.TrySlice(at, length, out var bytes));
        return bytes;
    }

    public (ulong Address, ulong Length) Path(string path, bool second = false)
    {
        var bytes = Encoding.UTF8.GetBytes(path);
        var area = second ? SecondPathArea : PathArea;
        bytes.CopyTo(Bytes(area, (uint)bytes.Length));
        return (area, (ulong)bytes.Length);
    }

    public Errno Open(
        string path, out uint fd, OpenFlags open = 0, Rights rights = Rights.All, DescriptorFlags flags = 0, ulong directory = 4,
        bool follow = true)
    {
        var (address, length) = Path(path);
        var errno = Call(
            "path_open", directory, follow ? 1u : 0, address, length, (ulong)open, (ulong)rights, (ulong)Rights.All, (ulong)flags, Result);
        fd = U32();
        return errno;
    }

    public Errno OfPath(string function, string path, ulong directory = 4)
    {
        var (address, length) = Path(path);
        return Call(function, directory, address, length);
    }

    public Errno OfPaths(string function, string from, string to, ulong directory = 4, ulong target = 4)
    {
        var (address, length) = Path(from);
        var (secondAddress, secondLength) = Path(to, second: true);
        return function switch
        {
            "path_symlink" => Call(function, address, length, directory, secondAddress, secondLength),
            "path_link" => Call(function, directory, 0, address, length, target, secondAddress, secondLength),
            _ => Call(function, directory, address, length, target, secondAddress, secondLength),
        };
    }

    public Errno Write(uint fd, string text) => Write(fd, Encoding.UTF8.GetBytes(text));

    public Errno Write(uint fd, byte[] bytes)
    {
        bytes.CopyTo(Bytes(DataArea, (uint)bytes.Length));
        Vector((uint)bytes.Length);
        return Call("fd_write", fd, VectorArea, 1, Result);
    }

    public string Read(uint fd, uint most = 4_096)
    {
        Vector(most);
        Assert.Equal(Errno.Success, Call("fd_read", fd, VectorArea, 1, Result));
        return Encoding.UTF8.GetString(Bytes(DataArea, U32()));
    }

    public Errno Stat(string path, out FileType type, out ulong size, ulong directory = 4, bool follow = true)
    {
        var (address, length) = Path(path);
        var errno = Call("path_filestat_get", directory, follow ? 1u : 0, address, length, DataArea);
        (type, size) = ((FileType)Bytes(DataArea + 16, 1)[0], U64(DataArea + 32));
        return errno;
    }

    /// <summary>The names that fd_readdir gives, asked for in pieces of so many bytes; a slash behind a
    /// directory's.</summary>
    public List<string> List(uint fd, uint piece = 4_096, Action<string>? seen = null)
    {
        var names = new List<string>();
        ulong cookie = 0;
        while (true)
        {
            Assert.Equal(Errno.Success, Call("fd_readdir", fd, DataArea, piece, cookie, Result));
            var used = U32();
            var at = 0u;
            var found = new List<string>();
            while (at + 24 <= used && at + 24 + U32(DataArea + at + 16) <= used)
            {
                var length = U32(DataArea + at + 16);
                found.Add(Encoding.UTF8.GetString(Bytes(DataArea + at + 24, length)) + (Bytes(DataArea + at + 20, 1)[0] == 3 ? "/" : ""));
                cookie = U64(DataArea + at);
                at += 24 + length;
            }
            names.AddRange(found);
            found.ForEach(name => seen?.Invoke(name));
            if (used < piece)
            {
                return names;
            }
        }
    }

    public void Put(string path, string content)
    {
        Assert.Equal(Errno.Success, Open(path, out var fd, OpenFlags.Create | OpenFlags.Truncate));
        Assert.Equal(Errno.Success, Write(fd, content));
        Assert.Equal(Errno.Success, Call("fd_close", fd));
    }

    public string Get(string path, ulong directory = 4)
    {
        Assert.Equal(Errno.Success, Open(path, out var fd, rights: Rights.FdRead, directory: directory));
        var text = Read(fd);
        Assert.Equal(Errno.Success, Call("fd_close", fd));
        return text;
    }

    public void Dispose()
    {
        Host.Dispose();
        Memory.Dispose();
    }

    private void Vector(uint length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes(VectorArea, 4), DataArea);
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes(VectorArea + 4, 4), length);
    }
}
