using System.Runtime.InteropServices;

namespace MeshLedger.Transports.Folder.Posix;

/// <summary>Error numbers of Linux that the folder decides on.</summary>
internal static class Errno
{
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int Again = 11;
    public const int Access = 13;
    public const int Exists = 17;
    public const int CrossDevice = 18;
    public const int NotDirectory = 20;
    public const int IsDirectory = 21;
    public const int Invalid = 22;
    public const int NoSpace = 28;
    public const int ReadOnlyFileSystem = 30;
    public const int NoSystemCall = 38;
    public const int NotEmpty = 39;
    public const int TooManyLinks = 40;
    public const int NotSupported = 95;
    public const int Stale = 116;
    public const int Quota = 122;

    public static int Last => Marshal.GetLastPInvokeError();
}

/// <summary>An operation on the folder failed: which, where, why, and what to do about it.</summary>
internal sealed class FolderIOException(string operation, string path, int errno)
    : IOException($"Cannot {operation} {path}: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}). {Advice(errno)}")
{
    public string Operation { get; } = operation;

    public int Error { get; } = errno;

    private static string Advice(int errno) => errno switch
    {
        Errno.NoSpace or Errno.Quota => "Free space there; nothing is lost, it is tried again.",
        Errno.Access => "Give the node's user read, write and search permission; it is tried again.",
        Errno.ReadOnlyFileSystem => "Remount the file system for writing; it is tried again.",
        Errno.NoEntry or Errno.Stale => "The folder was moved, removed or unmounted; put it back, it is opened again.",
        Errno.CrossDevice => "The folder's directories must lie on one file system.",
        Errno.NotDirectory or Errno.TooManyLinks => "It must be a directory of its own, not a link or a file.",
        Errno.IsDirectory or Errno.NotEmpty => "Move what stands there out of the way; it is tried again.",
        _ => "Look at the disk and its mount; it is tried again.",
    };
}
