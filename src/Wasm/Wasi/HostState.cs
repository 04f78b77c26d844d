using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// The state of a <see cref="WasiHost"/> as bytes, the same for the same state. Version 1, numbers little end first:
/// <code>
/// "MLWH"  version u32 = 1  options[32]  slept u64  random u64  stdin u64
/// stdout: dropped u64, length u32, bytes     stderr: the same
/// next inode u64
/// nodes u32, by inode:  inode u64, type u8, accessed u64, modified u64, changed u64, and
///     directory (3)  entries u32, by name: name text, inode u64
///     file (4)       length u64, chunks u32, by index: index u32, its bytes
///                    (4,096, or up to the end of the file; never all zero)
///     link (7)       target text
/// descriptors u32, by number:  number u32, kind u8, inode or index u64, offset u64, flags u16,
///     rights u64, inheriting u64, preopen + 1 u16, names + 1 u32 (0: none kept):
///     name text, inode u64, type u8
/// kind: 0 stdin, 1 stdout, 2 stderr, 3 memory, 4 /in, 5 configured directory
/// </code>
/// Inodes 1 and 2 are /scratch and /out. Inputs are not in it: options is a SHA-256 over all that the guest was given,
/// of inputs their paths and lengths. Checked by HostStateTests.
/// </summary>
internal static class HostState
{
    public const uint Version = 1;

    private const byte KindMemory = 3;
    private const byte KindInput = 4;
    private const byte KindReal = 5;

    public static byte[] Save(WasiHost host)
    {
        var to = new StateWriter().Bytes("MLWH"u8).U32(Version).Bytes(DigestOf(host.Options));
        to.U64(host.Clock.Slept).U64(host.Random.Position).U64((ulong)host.Input.Position);
        foreach (var stream in new[] { host.Output, host.Error })
        {
            to.U64((ulong)stream.Dropped).U32((uint)stream.Content.Length).Bytes(stream.Content.Span);
        }
        to.U64(host.Memory.NextInode);
        var nodes = Nodes(host);
        to.U32((uint)nodes.Count);
        foreach (var node in nodes.Values)
        {
            SaveNode(to, node);
        }
        var open = host.Descriptors.All.Index().Where(pair => pair.Item is not null).ToArray();
        to.U32((uint)open.Length);
        foreach (var (number, descriptor) in open)
        {
            SaveDescriptor(to, host, number, descriptor!);
        }
        return to.Written.ToArray();
    }

    /// <summary>What binds a state to all that its guest was given.</summary>
    public static byte[] DigestOf(GuestOptions options)
    {
        var to = new StateWriter();
        void Texts(IReadOnlyCollection<string> texts)
        {
            to.U32((uint)texts.Count);
            foreach (var text in texts)
            {
                var bytes = Encoding.UTF8.GetBytes(text);
                to.U32((uint)bytes.Length).Bytes(bytes);
            }
        }
        Texts(options.Arguments);
        Texts([.. options.Environment.SelectMany(pair => new[] { pair.Key, pair.Value })]);
        to.U64((ulong)options.StandardInput.Length).Bytes(SHA256.HashData(options.StandardInput.Span));
        to.Bytes(options.Seed.Span).U64((ulong)options.Epoch.UtcTicks);
        var inputs = options.Inputs.OrderBy(input => input.Path, StringComparer.Ordinal).ToArray();
        Texts([.. inputs.Select(input => input.Path)]);
        foreach (var input in inputs)
        {
            to.U64((ulong)input.Length);
        }
        Texts([.. options.Directories.Select(directory => $"{directory.GuestPath}\0{directory.Writable}")]);
        to.U64((ulong)options.ScratchBytes).U64((ulong)options.StreamBytes);
        Texts(options.Entry is { } entry ? [entry] : []);
        var limits = options.Limits;
        to.U32((uint)limits.MemoryPages).U32((uint)limits.TableEntries).U32((uint)limits.CallDepth);
        return SHA256.HashData(to.Written.Span);
    }

    /// <summary>All nodes of /scratch and /out, those that are only open included.</summary>
    private static SortedDictionary<ulong, IMemoryNode> Nodes(WasiHost host)
    {
        var nodes = new SortedDictionary<ulong, IMemoryNode>();
        var left = new Stack<Node>([host.Scratch, host.Outputs]);
        foreach (var descriptor in host.Descriptors.All)
        {
            if (descriptor?.Node is IMemoryNode node && node.State.System == host.Memory)
            {
                left.Push(descriptor.Node);
            }
        }
        while (left.TryPop(out var node))
        {
            var known = (IMemoryNode)node;
            if (nodes.TryAdd(known.State.Inode, known) && node is MemoryDirectory directory)
            {
                foreach (var entry in directory.Entries.Values)
                {
                    left.Push(entry);
                }
            }
        }
        return nodes;
    }

    private static void SaveNode(StateWriter to, IMemoryNode node)
    {
        var state = node.State;
        to.U64(state.Inode).U8((byte)((Node)node).Type).U64(state.Accessed).U64(state.Modified).U64(state.Changed);
        switch (node)
        {
            case MemoryDirectory directory:
                to.U32((uint)directory.Entries.Count);
                foreach (var (name, entry) in directory.Entries)
                {
                    to.Text(name).U64(((IMemoryNode)entry).State.Inode);
                }
                break;
            case MemoryFile file:
                var chunks = Enumerable.Range(0, file.ChunkCount).Where(index => !file.Chunk(index).IsEmpty).ToArray();
                to.U64((ulong)file.Length).U32((uint)chunks.Length);
                foreach (var index in chunks)
                {
                    to.U32((uint)index).Bytes(file.Chunk(index));
                }
                break;
            case MemoryLink link:
                to.Text(link.Target);
                break;
            default:
                throw new InvalidOperationException($"There is no form for {node.GetType().Name}.");
        }
    }

    private static void SaveDescriptor(StateWriter to, WasiHost host, int number, Descriptor descriptor)
    {
        var (kind, inode) = descriptor.Node switch
        {
            InputStream => ((byte)0, 0ul),
            OutputStream stream => (stream == host.Output ? (byte)1 : (byte)2, 0ul),
            IMemoryNode node => (node.State.System == host.Memory ? KindMemory : KindInput, node.State.Inode),
            var node when Array.FindIndex(host.Preopens, preopen => preopen.Node == node) is var index and >= 0 =>
                (KindReal, (ulong)index),
            _ => throw new InvalidOperationException(
                "The guest cannot be written down while it has a file of a real directory open."),
        };
        to.U32((uint)number).U8(kind).U64(inode).U64((ulong)descriptor.Offset).U16((ushort)descriptor.Flags);
        to.U64((ulong)descriptor.Rights).U64((ulong)descriptor.Inheriting).U16((ushort)(descriptor.Preopen + 1 ?? 0));
        to.U32((uint)(descriptor.Listing?.Length + 1 ?? 0));
        foreach (var (name, entry, type) in descriptor.Listing ?? [])
        {
            to.Text(name).U64(entry).U8((byte)type);
        }
    }
}
