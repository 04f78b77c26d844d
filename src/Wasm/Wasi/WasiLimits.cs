namespace MeshLedger.Wasm.Wasi;

/// <summary>Bounds that every guest has, whatever its options. They are part of what a run means: the same on every
/// machine.</summary>
internal static class WasiLimits
{
    public const int Descriptors = 1_024;

    /// <summary>Bytes of a path in UTF-8, and of a symbolic link's target.</summary>
    public const int PathBytes = 4_096;

    public const int NameBytes = 255;

    /// <summary>Symbolic links that one path may go through.</summary>
    public const int LinksFollowed = 40;

    /// <summary>Files, directories and links under /scratch and /out together.</summary>
    public const int Nodes = 65_536;

    /// <summary>Directories within directories, counted from /scratch or /out.</summary>
    public const int Depth = 64;

    /// <summary>Names that lie ready for fd_readdir, over all descriptors.</summary>
    public const int ListedNames = 262_144;

    /// <summary>Bytes that one call reads or writes; more is a short count.</summary>
    public const int TransferBytes = 64 << 20;

    public const int RandomBytes = 16 << 20;

    public const int Vectors = 1_024;

    public const int Subscriptions = 1_024;
}
