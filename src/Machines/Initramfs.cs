using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace MeshLedger.Machines;

// The guest's first file system: a cpio archive in the format "newc" (kernel: Documentation/driver-api/early-userspace/
// buffer-format.rst). Each entry is 110 bytes of ASCII ("070701" and 13 numbers of 8 hexadecimal digits), the name with
// a final zero, and the content, each padded to 4 bytes. What is in it, and the format of /job, stands in README.md;
// checked by InitramfsTests and by every run.

/// <summary>Writes the archive that a machine boots from.</summary>
internal sealed class Initramfs(Stream output)
{
    private const int Directory = 0x4000;
    private const int Device = 0x2000;
    private const int File = 0x8000;
    private const int GuestUser = 1000;

    private static readonly byte[] Init = ReadInit();

    private uint _inode;

    /// <summary>Bytes of the archive beside program, stdin and job.</summary>
    public static int OverheadBytes => Init.Length + 4096;

    public static void Write(Stream output, MicroVmRequest request)
    {
        var archive = new Initramfs(output);
        archive.Add("proc", Directory | 0x16D, 0, []);
        archive.Add("guest", Directory | 0x1ED, GuestUser, []);
        archive.Add("guest/proc", Directory | 0x1ED, 0, []);
        archive.Add("guest/dev", Directory | 0x1ED, 0, []);
        archive.Add("guest/tmp", Directory | 0x3FF, 0, []);
        archive.Add("guest/dev/null", Device | 0x1B6, 0, [], minor: 3);
        archive.Add("guest/dev/zero", Device | 0x1B6, 0, [], minor: 5);
        archive.Add("guest/dev/full", Device | 0x1B6, 0, [], minor: 7);
        archive.Add("guest/dev/random", Device | 0x1B6, 0, [], minor: 8);
        archive.Add("guest/dev/urandom", Device | 0x1B6, 0, [], minor: 9);
        archive.Add("init", File | 0x140, 0, Init);
        archive.Add("job", File | 0x100, 0, JobBytes(request));
        archive.Add("stdin", File | 0x124, 0, request.Stdin.Span);
        archive.Add("guest/program", File | 0x16D, 0, request.Program.Span);
        archive.AddInputs(request.Inputs);
        archive.Add("TRAILER!!!", 0, 0, []);
    }

    private void AddInputs(IReadOnlyList<MicroVmInput> inputs)
    {
        var directories = new HashSet<string>(StringComparer.Ordinal) { "/tmp" };
        foreach (var input in inputs)
        {
            // The archive has a directory before what is in it.
            for (var slash = input.Path.IndexOf('/', 1); slash > 0; slash = input.Path.IndexOf('/', slash + 1))
            {
                var directory = input.Path[..slash];
                if (directories.Add(directory))
                {
                    Add("guest" + directory, Directory | 0x1ED, GuestUser, []);
                }
            }

            AddHeader("guest" + input.Path, File | 0x124, 0, input.Size, minor: 0);
            using var content = input.Open();
            Copy(content, input);
            Pad((int)(input.Size & 3));
        }
    }

    private void Copy(Stream content, MicroVmInput input)
    {
        var buffer = new byte[256 * 1024];
        var left = input.Size;
        int count;
        while ((count = content.Read(buffer)) > 0 && count <= left)
        {
            output.Write(buffer, 0, count);
            left -= count;
        }

        if (left > 0 || count > 0)
        {
            throw new IOException($"The input {input.Path} has not the {input.Size} bytes that it was said to have.");
        }
    }

    /// <summary>/job: the cap (8 bytes), then three lists of strings: arguments with the program's name first,
    /// <c>NAME=value</c> variables, files to collect. No arguments at all: the machine ends at once.</summary>
    internal static byte[] JobBytes(MicroVmRequest request)
    {
        var job = new MemoryStream();
        Span<byte> cap = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(cap, request.OutputBytes);
        job.Write(cap);
        AddStrings(job, request.Program.IsEmpty ? [] : ["/program", .. request.Arguments]);
        AddStrings(job, request.Environment.Select(variable => $"{variable.Key}={variable.Value}").ToArray());
        AddStrings(job, request.Files);
        return job.ToArray();
    }

    private static void AddStrings(MemoryStream job, IReadOnlyList<string> strings)
    {
        if (strings.Count > MicroVmRequest.MaxStrings)
        {
            throw new ArgumentException($"At most {MicroVmRequest.MaxStrings} strings of one kind fit, found " +
                $"{strings.Count}.");
        }

        AddNumber(job, strings.Count);
        foreach (var text in strings)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            if (bytes.Length > MicroVmRequest.MaxStringBytes || bytes.AsSpan().Contains((byte)0))
            {
                throw new ArgumentException("A string for the guest is too long or has a zero character in it.");
            }

            AddNumber(job, bytes.Length);
            job.Write(bytes);
            job.WriteByte(0);
        }
    }

    private static void AddNumber(MemoryStream job, int value)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(number, value);
        job.Write(number);
    }

    private static byte[] ReadInit()
    {
        using var resource = typeof(Initramfs).Assembly.GetManifestResourceStream("init.elf")!;
        var bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        return bytes;
    }

    private void Add(string name, int mode, int owner, ReadOnlySpan<byte> content, int minor = 0)
    {
        AddHeader(name, mode, owner, content.Length, minor);
        output.Write(content);
        Pad(content.Length);
    }

    private void AddHeader(string name, int mode, int owner, long size, int minor)
    {
        _inode++;
        var bytes = Encoding.UTF8.GetBytes(name + "\0");
        var major = (mode & 0xF000) == Device ? 1 : 0;
        var header = new StringBuilder("070701", 110);
        ReadOnlySpan<long> fields =
            [_inode, mode, owner, owner, 1, 0, size, 0, 0, major, minor, bytes.Length, 0];
        foreach (var field in fields)
        {
            header.Append(field.ToString("X8", CultureInfo.InvariantCulture));
        }

        output.Write(Encoding.ASCII.GetBytes(header.ToString()));
        output.Write(bytes);
        Pad(header.Length + bytes.Length);
    }

    private void Pad(int written)
    {
        ReadOnlySpan<byte> zeros = [0, 0, 0];
        output.Write(zeros[..(-written & 3)]);
    }
}
