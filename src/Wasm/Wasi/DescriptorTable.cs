namespace MeshLedger.Wasm.Wasi;

/// <summary>An open file, directory or stream, as the guest holds it by a number.</summary>
internal sealed class Descriptor(Node node, Rights rights, Rights inheriting, DescriptorFlags flags)
{
    public Node Node { get; } = node;

    public Rights Rights { get; set; } = rights;

    /// <summary>What those opened below it may have at most.</summary>
    public Rights Inheriting { get; set; } = inheriting;

    public DescriptorFlags Flags { get; set; } = flags;

    /// <summary>Below 2^63.</summary>
    public long Offset { get; set; }

    /// <summary>Its place among the directories that the guest was given; null for what it opened itself.</summary>
    public int? Preopen { get; init; }

    /// <summary>
    /// The names that fd_readdir gives, kept from its first call on: the guest may remove files while it reads, and
    /// must still see each of the others once.
    /// </summary>
    public DirectoryEntry[]? Listing { get; set; }

    public bool May(Rights needed) => (Rights & needed) == needed;
}

/// <summary>The guest's descriptors by number; a new one gets the lowest that is free.</summary>
internal sealed class DescriptorTable : IDisposable
{
    private readonly List<Descriptor?> _descriptors = [];
    private int _listed;

    public IReadOnlyList<Descriptor?> All => _descriptors;

    public bool IsFull => _descriptors.Count == WasiLimits.Descriptors && !_descriptors.Contains(null);

    public Descriptor? Find(uint number) => number < (uint)_descriptors.Count ? _descriptors[(int)number] : null;

    /// <summary>Opens a descriptor; false if there are too many. It holds its node from then on.</summary>
    public bool TryAdd(Descriptor descriptor, out uint number)
    {
        number = 0;
        if (IsFull)
        {
            return false;
        }
        var free = _descriptors.IndexOf(null);
        number = (uint)(free < 0 ? _descriptors.Count : free);
        Put(number, descriptor);
        return true;
    }

    /// <summary>Opens a descriptor under a number of which nothing is known but that it is free and allowed.</summary>
    public void Put(uint number, Descriptor descriptor)
    {
        while (_descriptors.Count <= (int)number)
        {
            _descriptors.Add(null);
        }
        _descriptors[(int)number] = descriptor;
        descriptor.Node.Acquire();
        _listed += descriptor.Listing?.Length ?? 0;
    }

    public Errno Close(uint number)
    {
        if (Find(number) is not { } descriptor)
        {
            return Errno.Badf;
        }
        SetListing(descriptor, null);
        _descriptors[(int)number] = null;
        descriptor.Node.Release();
        return Errno.Success;
    }

    /// <summary>Gives a descriptor another number, closing what had that one.</summary>
    public Errno Renumber(uint from, uint to)
    {
        if (Find(from) is not { } descriptor || Find(to) is null)
        {
            return Errno.Badf;
        }
        if (from != to)
        {
            Close(to);
            (_descriptors[(int)from], _descriptors[(int)to]) = (null, descriptor);
        }
        return Errno.Success;
    }

    /// <summary>Keeps the names for fd_readdir; false if too many are kept already.</summary>
    public bool SetListing(Descriptor descriptor, DirectoryEntry[]? entries)
    {
        var listed = _listed - (descriptor.Listing?.Length ?? 0) + (entries?.Length ?? 0);
        if (entries is not null && listed > WasiLimits.ListedNames)
        {
            return false;
        }
        (_listed, descriptor.Listing) = (listed, entries);
        return true;
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        for (var i = 0; i < _descriptors.Count; i++)
        {
            Close((uint)i);
        }
        _descriptors.Clear();
    }
}
