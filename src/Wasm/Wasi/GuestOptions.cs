using System.Collections.Immutable;

namespace MeshLedger.Wasm.Wasi;

/// <summary>What a guest is given: all that its outcome depends on, besides the module.</summary>
public sealed record GuestOptions
{
    /// <summary><c>argv</c>, the program's name first.</summary>
    public ImmutableArray<string> Arguments { get; init; } = ["guest"];

    /// <summary>In the order in which the guest sees them.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Environment { get; init; } = [];

    public ReadOnlyMemory<byte> StandardInput { get; init; }

    /// <summary>32 bytes from which random numbers and the clocks' offset come; the same seed gives the same
    /// run.</summary>
    public ReadOnlyMemory<byte> Seed { get; init; } = new byte[32];

    /// <summary>What the guest's clock shows at the start; it advances by a nanosecond a unit of fuel, and by what it
    /// sleeps.</summary>
    public DateTimeOffset Epoch { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>Files under <c>/in</c>, read-only, by relative path.</summary>
    public ImmutableArray<GuestInput> Inputs { get; init; } = [];

    /// <summary>Real directories, each under a path of the guest's. Nothing outside them can be reached. A run with one
    /// is not deterministic.</summary>
    public ImmutableArray<GuestDirectory> Directories { get; init; } = [];

    /// <summary>Bytes that the files under <c>/scratch</c> and <c>/out</c> may take in all; more is ENOSPC.</summary>
    public long ScratchBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of standard output, and of standard error, each; what is more is dropped and said.</summary>
    public long StreamBytes { get; init; } = 16L << 20;

    /// <summary>
    /// The exported function to call. Null is <c>_start</c> if there is one, else <c>run: () -> i64</c>.
    /// </summary>
    public string? Entry { get; init; }

    public RunLimits Limits { get; init; } = RunLimits.Default;

    public Tier Tier { get; init; } = Tier.Adaptive;
}

/// <summary>A file that the guest may read, as <c>/in/</c> and its path. Read by offset; never changed while the guest
/// lives.</summary>
public sealed record GuestInput(string Path, long Length, Func<Stream> Open);

/// <summary>A directory of the host under a path of the guest's.</summary>
public sealed record GuestDirectory(string GuestPath, string HostPath, bool Writable)
{
    /// <summary>Whether a directory may stand under a path: absolute, of plain names, and none that every guest has.</summary>
    public static bool IsPath(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return path.Length is > 1 and <= 1024 && path[0] == '/' && path is not ("/in" or "/scratch" or "/out")
            && path[1..].Split('/').All(name => name is not ("" or "." or "..") && !name.Any(char.IsControl));
    }
}
