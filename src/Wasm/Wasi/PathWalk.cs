using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// Follows a path from an open directory, component by component and link by link, and never above where it began: ".."
/// and relative links are resolved here, by going back over what was walked; an absolute path or link is refused. The
/// directories that are opened on the way are released by Dispose.
/// </summary>
internal sealed class PathWalk : IDisposable
{
    // From the start to the directory that the walk is in.
    private readonly List<DirectoryNode> _way = [];
    private readonly Stack<string> _left = new();
    private Node? _found;
    private bool _slash;

    private PathWalk(DirectoryNode start) => _way.Add(start);

    /// <summary>The directory that the last component is in.</summary>
    public DirectoryNode Parent => _way[^1];

    /// <summary>The last component; null if the path ends in the start, "." or "..".</summary>
    public string? Name { get; private set; }

    /// <summary>What has the name; null if nothing has.</summary>
    public Node? Found => _found;

    /// <summary>The path ended with a slash: only a directory is meant.</summary>
    public bool WantsDirectory => _slash;

    /// <param name="start">Where relative paths begin.</param>
    /// <param name="path">Not empty, at most <see cref="WasiLimits.PathBytes"/> long.</param>
    /// <param name="follow">Whether a link as the last component is followed.</param>
    /// <param name="walk">To be disposed in every case.</param>
    public static Errno Begin(DirectoryNode start, string path, bool follow, out PathWalk walk)
    {
        walk = new PathWalk(start);
        return walk.Go(path, follow);
    }

    /// <summary>Takes what was found out of the walk's hands: it is not released with it.</summary>
    public Node Take()
    {
        var found = _found!;
        _found = null;
        return found;
    }

    public void Dispose()
    {
        // The start is not the walk's; what was found is in no other list.
        _found?.Release();
        for (var i = _way.Count - 1; i > 0; i--)
        {
            _way[i].Release();
        }
        _way.RemoveRange(1, _way.Count - 1);
        _found = null;
    }

    private Errno Go(string path, bool follow)
    {
        var links = 0;
        if (Push(path) is var errno and not Errno.Success)
        {
            return errno;
        }
        while (_left.TryPop(out var name))
        {
            var last = _left.Count == 0;
            if (name == ".")
            {
                continue;
            }
            if (name == "..")
            {
                if (_way.Count == 1)
                {
                    return Errno.Perm;
                }
                _way[^1].Release();
                _way.RemoveAt(_way.Count - 1);
                continue;
            }
            if (name.Length > WasiLimits.NameBytes || Encoding.UTF8.GetByteCount(name) > WasiLimits.NameBytes)
            {
                return Errno.Nametoolong;
            }
            errno = _way[^1].Find(name, out var node);
            if (errno == Errno.Noent && last)
            {
                Name = name;
                return Errno.Success;
            }
            if (errno != Errno.Success)
            {
                return errno;
            }
            switch (node)
            {
                case LinkNode link when !last || follow || _slash:
                    if (++links > WasiLimits.LinksFollowed)
                    {
                        return Errno.Loop;
                    }
                    if ((errno = Push(link.Target)) != Errno.Success)
                    {
                        return errno;
                    }
                    break;
                case DirectoryNode directory when !last:
                    directory.Acquire();
                    _way.Add(directory);
                    break;
                default:
                    (Name, _found) = (name, node);
                    node!.Acquire();
                    return !last || (_slash && node is not DirectoryNode) ? Errno.Notdir : Errno.Success;
            }
        }
        // The path ended in a directory that was walked into, not in a name: it is found without one.
        _found = _way[^1];
        _found.Acquire();
        return Errno.Success;
    }

    private Errno Push(string path)
    {
        if (path.StartsWith('/'))
        {
            return Errno.Perm;
        }
        var components = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (components.Length == 0)
        {
            return Errno.Noent;
        }
        if (_left.Count == 0)
        {
            _slash |= path.EndsWith('/');
        }
        for (var i = components.Length - 1; i >= 0; i--)
        {
            _left.Push(components[i]);
        }
        return Errno.Success;
    }
}
