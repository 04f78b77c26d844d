using MeshLedger.Transports.Folder.Posix;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// The folder's directories, opened once. None may be a symbolic link: what the transport moves must stay inside of the
/// folder, and renames work within one file system only.
/// </summary>
internal sealed class FolderPlaces : IDisposable
{
    private readonly FolderDirectory _root;
    private readonly (FolderDirectory Parent, EntryName Name, FolderDirectory Directory)[] _places;

    private FolderPlaces(FolderDirectory root, EntryName node)
    {
        _root = root;
        var opened = new List<(FolderDirectory Parent, EntryName Name, FolderDirectory Directory)>();
        try
        {
            Inbox = Place(root, EntryName.FromText("inbox"));
            Claimed = Place(root, EntryName.FromText("claimed"));
            Own = Place(Claimed, node);
            Done = Place(root, EntryName.FromText("done"));
            Failed = Place(root, EntryName.FromText("failed"));
            Results = Place(root, EntryName.FromText("results"));
        }
        catch
        {
            opened.ForEach(place => place.Directory.Dispose());
            throw;
        }

        _places = [.. opened];
        Renaming = new Renaming(Own);

        FolderDirectory Place(FolderDirectory parent, EntryName name)
        {
            var directory = parent.OpenOrCreate(name);
            opened.Add((parent, name, directory));
            return directory;
        }
    }

    public FolderDirectory Inbox { get; }

    /// <summary>One directory a node.</summary>
    public FolderDirectory Claimed { get; }

    /// <summary><c>claimed/NODE/</c>: what this node has taken and not answered. Only this process writes there; others
    /// take away.</summary>
    public FolderDirectory Own { get; }

    public FolderDirectory Done { get; }

    public FolderDirectory Failed { get; }

    public FolderDirectory Results { get; }

    public Renaming Renaming { get; }

    public string Path => _root.Path;

    /// <exception cref="FolderIOException">Something cannot be opened or created.</exception>
    public static FolderPlaces Open(string path, string nodeId)
    {
        Directory.CreateDirectory(path);
        var root = FolderDirectory.OpenRoot(System.IO.Path.GetFullPath(path));
        try
        {
            return new FolderPlaces(root, EntryName.FromText(nodeId));
        }
        catch
        {
            root.Dispose();
            throw;
        }
    }

    /// <summary>Throws when a directory is not any more where it was opened: what is dropped now would not be seen.
    /// </summary>
    /// <exception cref="FolderIOException">Always ENOENT.</exception>
    public void CheckStillThere()
    {
        if (FolderDirectory.StatusOfPath(_root.Path)?.Identity != _root.Status().Identity)
        {
            throw new FolderIOException("find", _root.Path, Errno.NoEntry);
        }

        foreach (var (parent, name, directory) in _places)
        {
            if (parent.Status(name)?.Identity != directory.Status().Identity)
            {
                throw new FolderIOException("find", directory.Path, Errno.NoEntry);
            }
        }
    }

    public void Dispose()
    {
        foreach (var (_, _, directory) in _places)
        {
            directory.Dispose();
        }

        _root.Dispose();
    }
}
