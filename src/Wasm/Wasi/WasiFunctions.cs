using System.Collections.Frozen;
using System.Collections.Immutable;

namespace MeshLedger.Wasm.Wasi;

/// <summary>The functions of preview 1 with their types: one visible table.</summary>
internal static class WasiFunctions
{
    /// <summary>By name; <c>i</c> is an i32, <c>I</c> an i64. All but <c>proc_exit</c> give an errno as an
    /// i32.</summary>
    private static readonly FrozenDictionary<string, FunctionType> Types = new Dictionary<string, string>
    {
        ["args_get"] = "ii",
        ["args_sizes_get"] = "ii",
        ["clock_res_get"] = "ii",
        ["clock_time_get"] = "iIi",
        ["environ_get"] = "ii",
        ["environ_sizes_get"] = "ii",
        ["fd_advise"] = "iIIi",
        ["fd_allocate"] = "iII",
        ["fd_close"] = "i",
        ["fd_datasync"] = "i",
        ["fd_fdstat_get"] = "ii",
        ["fd_fdstat_set_flags"] = "ii",
        ["fd_fdstat_set_rights"] = "iII",
        ["fd_filestat_get"] = "ii",
        ["fd_filestat_set_size"] = "iI",
        ["fd_filestat_set_times"] = "iIIi",
        ["fd_pread"] = "iiiIi",
        ["fd_prestat_dir_name"] = "iii",
        ["fd_prestat_get"] = "ii",
        ["fd_pwrite"] = "iiiIi",
        ["fd_read"] = "iiii",
        ["fd_readdir"] = "iiiIi",
        ["fd_renumber"] = "ii",
        ["fd_seek"] = "iIii",
        ["fd_sync"] = "i",
        ["fd_tell"] = "ii",
        ["fd_write"] = "iiii",
        ["path_create_directory"] = "iii",
        ["path_filestat_get"] = "iiiii",
        ["path_filestat_set_times"] = "iiiiIIi",
        ["path_link"] = "iiiiiii",
        ["path_open"] = "iiiiiIIii",
        ["path_readlink"] = "iiiiii",
        ["path_remove_directory"] = "iii",
        ["path_rename"] = "iiiiii",
        ["path_symlink"] = "iiiii",
        ["path_unlink_file"] = "iii",
        ["poll_oneoff"] = "iiii",
        ["proc_exit"] = "i",
        ["proc_raise"] = "i",
        ["random_get"] = "ii",
        ["sched_yield"] = "",
        ["sock_accept"] = "iii",
        ["sock_recv"] = "iiiiii",
        ["sock_send"] = "iiiii",
        ["sock_shutdown"] = "ii",
    }.ToFrozenDictionary(pair => pair.Key, pair => TypeOf(pair.Key, pair.Value));

    public static Dictionary<string, (FunctionType Type, WasiFunction Body)> Of(WasiHost host)
    {
        var process = new ProcessFunctions(host);
        var poll = new PollFunctions(host);
        var files = new FileFunctions(host);
        var descriptors = new DescriptorFunctions(host);
        var paths = new PathFunctions(host);
        var bodies = new Dictionary<string, WasiFunction>
        {
            ["args_get"] = process.ArgsGet,
            ["args_sizes_get"] = process.ArgsSizesGet,
            ["clock_res_get"] = ProcessFunctions.ClockResGet,
            ["clock_time_get"] = process.ClockTimeGet,
            ["environ_get"] = process.EnvironGet,
            ["environ_sizes_get"] = process.EnvironSizesGet,
            ["fd_advise"] = files.Advise,
            ["fd_allocate"] = files.Allocate,
            ["fd_close"] = descriptors.Close,
            ["fd_datasync"] = files.Datasync,
            ["fd_fdstat_get"] = descriptors.FdstatGet,
            ["fd_fdstat_set_flags"] = descriptors.FdstatSetFlags,
            ["fd_fdstat_set_rights"] = descriptors.FdstatSetRights,
            ["fd_filestat_get"] = files.FilestatGet,
            ["fd_filestat_set_size"] = files.FilestatSetSize,
            ["fd_filestat_set_times"] = files.FilestatSetTimes,
            ["fd_pread"] = files.Pread,
            ["fd_prestat_dir_name"] = descriptors.PrestatDirName,
            ["fd_prestat_get"] = descriptors.PrestatGet,
            ["fd_pwrite"] = files.Pwrite,
            ["fd_read"] = files.Read,
            ["fd_readdir"] = descriptors.Readdir,
            ["fd_renumber"] = descriptors.Renumber,
            ["fd_seek"] = files.Seek,
            ["fd_sync"] = files.Sync,
            ["fd_tell"] = files.Tell,
            ["fd_write"] = files.Write,
            ["path_create_directory"] = paths.CreateDirectory,
            ["path_filestat_get"] = paths.FilestatGet,
            ["path_filestat_set_times"] = paths.FilestatSetTimes,
            ["path_link"] = paths.Link,
            ["path_open"] = paths.Open,
            ["path_readlink"] = paths.Readlink,
            ["path_remove_directory"] = paths.RemoveDirectory,
            ["path_rename"] = paths.Rename,
            ["path_symlink"] = paths.Symlink,
            ["path_unlink_file"] = paths.UnlinkFile,
            ["poll_oneoff"] = poll.Oneoff,
            ["proc_exit"] = ProcessFunctions.Exit,
            ["proc_raise"] = ProcessFunctions.Raise,
            ["random_get"] = process.RandomGet,
            ["sched_yield"] = ProcessFunctions.SchedYield,
            ["sock_accept"] = descriptors.NoSocket,
            ["sock_recv"] = descriptors.NoSocket,
            ["sock_send"] = descriptors.NoSocket,
            ["sock_shutdown"] = descriptors.NoSocket,
        };
        return bodies.ToDictionary(pair => pair.Key, pair => (Types[pair.Key], pair.Value));
    }

    private static FunctionType TypeOf(string name, string parameters)
    {
        ImmutableArray<ValueType> results = name == "proc_exit" ? [] : [ValueType.I32];
        return new([.. parameters.Select(letter => letter == 'I' ? ValueType.I64 : ValueType.I32)], results);
    }
}
