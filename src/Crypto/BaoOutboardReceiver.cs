using System.Buffers.Binary;

namespace MeshLedger.Crypto;

/// <summary>
/// Verifies an outboard as it arrives, in pieces of any size, from a peer that nobody vouches for. It keeps no copy:
/// what was accepted the caller may write down, up to <see cref="Verified"/> bytes. Not safe for several threads at
/// once.
/// </summary>
/// <remarks>
/// A complete outboard has the right parents for the claimed length's tree, so every group's value is what the root
/// stands for, if the length is right. The length itself is proved only once the last group's content is verified (see
/// <see cref="BaoVerifier"/>): an outboard of one group is eight bytes of claim, and proves nothing.
/// </remarks>
public sealed class BaoOutboardReceiver
{
    private readonly BaoPath _path = new();
    private readonly byte[] _piece = new byte[BaoTree.ParentBytes];
    private readonly BaoTree _tree;
    private int _pieceLength;
    private BaoFault? _fault;

    /// <param name="root">The content's name.</param>
    /// <param name="tree">The claimed length, and the size of the groups.</param>
    public BaoOutboardReceiver(BlobHash root, BaoTree tree)
    {
        _tree = tree;
        _path.Push(BaoNode.Root(tree.Groups, root));
    }

    /// <summary>How many bytes from the beginning of the outboard on are verified; what was accepted beyond it is part
    /// of a node that is not whole yet.</summary>
    public long Verified { get; private set; }

    /// <summary>True once every parent is verified.</summary>
    public bool IsComplete => Verified == _tree.OutboardBytes;

    /// <summary>Takes the next bytes. False at the first node that is not right, and from then on; bytes after the end
    /// are not right either.</summary>
    public bool Accept(ReadOnlySpan<byte> bytes, out BaoFault fault)
    {
        while (!bytes.IsEmpty && _fault is null)
        {
            var expected = Verified == 0 ? BaoTree.HeaderBytes : BaoTree.ParentBytes;
            var take = Math.Min(expected - _pieceLength, bytes.Length);
            var whole = bytes[..take];
            bytes = bytes[take..];
            if (take < expected)
            {
                whole.CopyTo(_piece.AsSpan(_pieceLength));
                _pieceLength += take;
                if (_pieceLength < expected)
                {
                    break;
                }

                whole = _piece.AsSpan(0, expected);
            }

            if (IsComplete || !IsRight(whole))
            {
                _fault = new BaoFault(BaoPart.Nodes, Verified);
                break;
            }

            Verified += expected;
            _pieceLength = 0;
        }

        // A surplus is refused with its first byte, not with its 64th.
        if (_fault is null && IsComplete && _pieceLength > 0)
        {
            _fault = new BaoFault(BaoPart.Nodes, Verified);
        }

        fault = _fault ?? default;
        return _fault is null;
    }

    private bool IsRight(ReadOnlySpan<byte> piece)
    {
        if (Verified == 0)
        {
            return BinaryPrimitives.ReadInt64LittleEndian(piece) == _tree.Length;
        }

        var node = _path.Pop();
        while (node.IsLeaf)
        {
            node = _path.Pop();
        }

        if (!node.TryOpen(piece, out var left, out var right))
        {
            return false;
        }

        _path.Push(right);
        _path.Push(left);
        return true;
    }
}
