namespace MeshLedger.Crypto;

/// <summary>
/// Which bytes of a content a slice is about (specification, "Slice Format"). The chunks that it holds are those of
/// [<see cref="Start"/>, <see cref="End"/>), at least one: no bytes count as one, and what begins at or after the end
/// of the content is about the last chunk, which proves the end.
/// </summary>
internal readonly record struct BaoRange
{
    /// <param name="offset">Not negative; may be past the end.</param>
    /// <param name="count">Not negative; may reach past the end.</param>
    /// <param name="length">The content's, as it is claimed.</param>
    public BaoRange(long offset, long count, long length)
    {
        Wanted = offset >= length ? 0 : Math.Min(count, length - offset);
        Offset = offset;
        Start = Math.Max(0, Math.Min(offset, length - 1));
        End = Start + Math.Max(1, Wanted);
    }

    /// <summary>Where the bytes that are handed out begin, if there are any.</summary>
    public long Offset { get; }

    /// <summary>How many bytes are handed out.</summary>
    public long Wanted { get; }

    public long Start { get; }

    public long End { get; }

    /// <summary>True if the slice holds something of the <paramref name="bytes"/> from <paramref name="first"/> on,
    /// which may be the empty chunk of the empty content.</summary>
    public bool Touches(long first, long bytes) => first < End && (bytes == 0 || first + bytes > Start);

    /// <summary>True if the slice holds all of those bytes' chunks.</summary>
    public bool Covers(long first, long bytes) => first >= Start && first + bytes <= End;

    /// <summary>The part of <paramref name="content"/>, which begins at <paramref name="first"/>, that is handed
    /// out.</summary>
    public Memory<byte> Part(Memory<byte> content, long first)
    {
        var from = Math.Clamp(Offset - first, 0, content.Length);
        var to = Math.Clamp(Offset + Wanted - first, from, content.Length);
        return content[(int)from..(int)to];
    }
}
