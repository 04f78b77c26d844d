using System.Buffers.Binary;
using System.Numerics;

namespace MeshLedger.Projections.EventIndex;

/// <summary>A set of the positions of some blocks of the log, a bit each.</summary>
internal sealed class PositionSet(int firstBlock, int blocks)
{
    private const int WordsOfBlock = EventTerms.Block / 64;

    private readonly int _first = firstBlock;
    private readonly ulong[] _words = new ulong[blocks * WordsOfBlock];

    public bool IsEmpty => !_words.AsSpan().ContainsAnyExcept(0UL);

    public long Count => _words.Sum(word => (long)BitOperations.PopCount(word));

    public bool Contains(long position)
    {
        var at = At(position);
        return at >= 0 && at < _words.Length * 64L && (_words[at / 64] >> (int)(at % 64) & 1) != 0;
    }

    /// <summary>All positions from <paramref name="first"/> to <paramref name="last"/> that are of these blocks.</summary>
    public void AddRange(long first, long last)
    {
        var end = Math.Min(At(last), (_words.Length * 64L) - 1);
        for (var at = Math.Max(At(first), 0); at <= end; at++)
        {
            _words[at / 64] |= 1UL << (int)(at % 64);
        }
    }

    /// <summary>The offsets of a row of the index.</summary>
    public void Add(int block, ReadOnlySpan<byte> offsets)
    {
        var start = (block - _first) * EventTerms.Block;
        for (; offsets.Length >= 2; offsets = offsets[2..])
        {
            var at = start + BinaryPrimitives.ReadUInt16BigEndian(offsets);
            _words[at / 64] |= 1UL << (at % 64);
        }
    }

    /// <summary>Keeps what stands in another set, too, which has the blocks of this one.</summary>
    public void Keep(PositionSet other)
    {
        var skip = (_first - other._first) * WordsOfBlock;
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] &= other._words[skip + i];
        }
    }

    public void Remove(long position)
    {
        var at = At(position);
        _words[at / 64] &= ~(1UL << (int)(at % 64));
    }

    public void RemoveBlocks(Func<int, bool> isOut)
    {
        for (var i = 0; i < blocks; i++)
        {
            if (isOut(_first + i))
            {
                _words.AsSpan(i * WordsOfBlock, WordsOfBlock).Clear();
            }
        }
    }

    /// <summary>The blocks in which positions are left.</summary>
    public int[] Blocks() =>
        [.. Enumerable.Range(0, blocks).Where(i => _words.AsSpan(i * WordsOfBlock, WordsOfBlock).ContainsAnyExcept(0UL))
            .Select(i => _first + i)];

    public IEnumerable<long> Positions()
    {
        for (var i = 0; i < _words.Length; i++)
        {
            for (var word = _words[i]; word != 0; word &= word - 1)
            {
                yield return ((long)_first * EventTerms.Block) + (i * 64L) + BitOperations.TrailingZeroCount(word) + 1;
            }
        }
    }

    public IEnumerable<long> PositionsOf(int block)
    {
        for (var offset = 0; offset < EventTerms.Block; offset++)
        {
            var position = ((long)block * EventTerms.Block) + offset + 1;
            if (Contains(position))
            {
                yield return position;
            }
        }
    }

    private long At(long position) => position - 1 - ((long)_first * EventTerms.Block);
}
