namespace MeshLedger.Wasm.Wasi;

/// <summary>What may be done with a descriptor, or with those opened below it (<c>rights</c>).</summary>
[Flags]
internal enum Rights : ulong
{
    None = 0,
    FdDatasync = 1 << 0,
    FdRead = 1 << 1,
    FdSeek = 1 << 2,
    FdFdstatSetFlags = 1 << 3,
    FdSync = 1 << 4,
    FdTell = 1 << 5,
    FdWrite = 1 << 6,
    FdAdvise = 1 << 7,
    FdAllocate = 1 << 8,
    PathCreateDirectory = 1 << 9,
    PathCreateFile = 1 << 10,
    PathLinkSource = 1 << 11,
    PathLinkTarget = 1 << 12,
    PathOpen = 1 << 13,
    FdReaddir = 1 << 14,
    PathReadlink = 1 << 15,
    PathRenameSource = 1 << 16,
    PathRenameTarget = 1 << 17,
    PathFilestatGet = 1 << 18,
    PathFilestatSetSize = 1 << 19,
    PathFilestatSetTimes = 1 << 20,
    FdFilestatGet = 1 << 21,
    FdFilestatSetSize = 1 << 22,
    FdFilestatSetTimes = 1 << 23,
    PathSymlink = 1 << 24,
    PathRemoveDirectory = 1 << 25,
    PathUnlinkFile = 1 << 26,
    PollFdReadwrite = 1 << 27,

    OfInput = FdRead | FdFdstatSetFlags | FdAdvise | FdFilestatGet | PollFdReadwrite,
    OfOutput = FdWrite | FdFdstatSetFlags | FdSync | FdDatasync | FdFilestatGet | PollFdReadwrite,
    OfFile = FdDatasync | FdRead | FdSeek | FdFdstatSetFlags | FdSync | FdTell | FdWrite | FdAdvise | FdAllocate
        | FdFilestatGet | FdFilestatSetSize | FdFilestatSetTimes | PollFdReadwrite,
    OfDirectory = FdFdstatSetFlags | FdSync | FdDatasync | FdAdvise | PathCreateDirectory | PathCreateFile
        | PathLinkSource | PathLinkTarget | PathOpen | FdReaddir | PathReadlink | PathRenameSource | PathRenameTarget
        | PathFilestatGet | PathFilestatSetSize | PathFilestatSetTimes | FdFilestatGet | FdFilestatSetTimes
        | PathSymlink | PathRemoveDirectory | PathUnlinkFile | PollFdReadwrite,
    All = OfFile | OfDirectory,
}

/// <summary>How a descriptor behaves (<c>fdflags</c>).</summary>
[Flags]
internal enum DescriptorFlags : ushort
{
    None = 0,
    Append = 1 << 0,
    Dsync = 1 << 1,
    Nonblock = 1 << 2,
    Rsync = 1 << 3,
    Sync = 1 << 4,
    All = Append | Dsync | Nonblock | Rsync | Sync,
}

/// <summary>How a path is opened (<c>oflags</c>).</summary>
[Flags]
internal enum OpenFlags : ushort
{
    None = 0,
    Create = 1 << 0,
    Directory = 1 << 1,
    Exclusive = 1 << 2,
    Truncate = 1 << 3,
    All = Create | Directory | Exclusive | Truncate,
}

/// <summary>Which times are set, and to what (<c>fstflags</c>).</summary>
[Flags]
internal enum TimeFlags : ushort
{
    None = 0,
    Access = 1 << 0,
    AccessNow = 1 << 1,
    Modification = 1 << 2,
    ModificationNow = 1 << 3,
    All = Access | AccessNow | Modification | ModificationNow,
}
