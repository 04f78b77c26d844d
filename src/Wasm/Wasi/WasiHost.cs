using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>What a function of preview 1 does.</summary>
internal delegate Errno WasiFunction(ref WasiCall call);

/// <summary>
/// The host of one guest: all that preview 1 shows it of the world, and the whole state of that. Descriptors 0 to 2 are
/// the streams, 3 is /in, 4 is /scratch, 5 is /out, and from 6 on are the configured directories.
/// </summary>
internal sealed class WasiHost : IDisposable
{
    public const string ModuleName = "wasi_snapshot_preview1";

    // So that the whole state fits into one array, whatever is open.
    private const long MostScratchBytes = 1L << 30;
    private const long MostStreamBytes = 256L << 20;

    public WasiHost(GuestOptions options)
    {
        Options = options;
        Validate(options);
        Clock = new GuestClock(options.Epoch);
        Random = new GuestRandom(options.Seed);
        Input = new InputStream(options.StandardInput);
        Output = new OutputStream(options.StreamBytes);
        Error = new OutputStream(options.StreamBytes);
        var created = Clock.Real(0);
        Inputs = InputTree.Build(options.Inputs, new MemoryFileSystem(1, 0, created, readOnly: true));
        Memory = new MemoryFileSystem(2, options.ScratchBytes, created, readOnly: false);
        Scratch = Memory.Root();
        Outputs = Memory.Root();
        Descriptors.Put(0, new Descriptor(Input, Rights.OfInput, Rights.None, DescriptorFlags.None));
        Descriptors.Put(1, new Descriptor(Output, Rights.OfOutput, Rights.None, DescriptorFlags.Append));
        Descriptors.Put(2, new Descriptor(Error, Rights.OfOutput, Rights.None, DescriptorFlags.Append));
        Preopens = [("/in", Inputs), ("/scratch", Scratch), ("/out", Outputs), .. options.Directories.Select(Open)];
        for (var i = 0; i < Preopens.Length; i++)
        {
            // Held by the host as well, so that one that the guest closes can be given again when a state is restored.
            Preopens[i].Node.Acquire();
            Descriptors.Put((uint)(3 + i), Preopened(i));
        }
    }

    public GuestOptions Options { get; }

    public GuestClock Clock { get; }

    public GuestRandom Random { get; }

    public InputStream Input { get; }

    public OutputStream Output { get; }

    public OutputStream Error { get; }

    public DescriptorTable Descriptors { get; } = new();

    /// <summary>The file system of /scratch and /out.</summary>
    public MemoryFileSystem Memory { get; }

    public MemoryDirectory Inputs { get; }

    public MemoryDirectory Scratch { get; }

    public MemoryDirectory Outputs { get; }

    public (string Name, DirectoryNode Node)[] Preopens { get; }

    public Descriptor Preopened(int index) =>
        new(Preopens[index].Node, Rights.OfDirectory, Rights.All, DescriptorFlags.None) { Preopen = index };

    /// <summary>Offers the functions to a module.</summary>
    public Imports AddTo(Imports imports)
    {
        foreach (var (name, (type, body)) in WasiFunctions.Of(this))
        {
            imports.Add(ModuleName, name, Function.FromHost(type, (caller, slots) =>
            {
                var call = new WasiCall(caller.Memory, slots, caller.FuelUsed);
                var errno = body(ref call);
                caller.Charge(call.Fuel);
                if (!slots.IsEmpty)
                {
                    slots[0] = (ulong)errno;
                }
            }));
        }
        return imports;
    }

    public void Dispose()
    {
        Descriptors.Dispose();
        foreach (var (_, node) in Preopens)
        {
            node.Release();
        }
    }

    private static (string Name, DirectoryNode Node) Open(GuestDirectory directory) =>
        (directory.GuestPath, RealDirectory.Open(directory));

    private static void Validate(GuestOptions options)
    {
        if (options.Seed.Length != 32)
        {
            throw new ArgumentException($"The seed has {options.Seed.Length} bytes, 32 are expected.", nameof(options));
        }
        if (options.ScratchBytes is < 0 or > MostScratchBytes || options.StreamBytes is < 0 or > MostStreamBytes)
        {
            throw new ArgumentException("Scratch takes at most 1 GiB, a stream 256 MiB.", nameof(options));
        }
        if (options.Epoch < DateTimeOffset.UnixEpoch)
        {
            throw new ArgumentException("The epoch is before 1970.", nameof(options));
        }
        var words = options.Arguments.Concat(options.Environment.SelectMany(pair => new[] { pair.Key, pair.Value }));
        if (words.Any(word => word.Contains('\0', StringComparison.Ordinal))
            || options.Environment.Any(pair => pair.Key is "" || pair.Key.Contains('=', StringComparison.Ordinal)))
        {
            throw new ArgumentException("Arguments and environment have no zero bytes, names no '='.", nameof(options));
        }
        var paths = new HashSet<string>(StringComparer.Ordinal) { "/in", "/scratch", "/out" };
        foreach (var directory in options.Directories)
        {
            if (!directory.GuestPath.StartsWith('/')
                || Encoding.UTF8.GetByteCount(directory.GuestPath) > WasiLimits.PathBytes
                || !paths.Add(directory.GuestPath))
            {
                throw new ArgumentException(
                    $"A directory's path in the guest is absolute and not used twice: '{directory.GuestPath}'.",
                    nameof(options));
            }
        }
        if (options.Directories.Length > WasiLimits.Descriptors / 2)
        {
            throw new ArgumentException($"There are {options.Directories.Length} directories.", nameof(options));
        }
    }
}
