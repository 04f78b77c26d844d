namespace MeshLedger.Crypto;

/// <summary>Which of the bytes do not lead to the root.</summary>
public enum BaoPart
{
    /// <summary>A parent node (or the length before them all).</summary>
    Nodes,

    /// <summary>The content itself, under parents that are right.</summary>
    Content,
}

/// <summary>
/// The first place where bytes are not those that the root stands for. Bytes that are missing are a fault like bytes
/// that are wrong.
/// </summary>
/// <param name="Part">What is wrong there.</param>
/// <param name="Offset">For <see cref="BaoPart.Nodes"/> where the node begins in the outboard (in the combined encoding
/// or slice where there is no outboard); for <see cref="BaoPart.Content"/> where the group begins in the content.
/// A wrong length has the fault where the tree that it implies first differs from the right one.</param>
public readonly record struct BaoFault(BaoPart Part, long Offset)
{
    public override string ToString() => Part == BaoPart.Nodes
        ? $"the node at byte {Offset} of the encoding does not lead to the root"
        : $"the content at byte {Offset} does not lead to the root";
}

/// <summary>An encoding is damaged, incomplete or forged. Nothing that is not verified was handed out.</summary>
public sealed class BaoException(BlobHash root, BaoFault fault) : IOException($"Not blob {root}: {fault}.")
{
    public BlobHash Root { get; } = root;

    public BaoFault Fault { get; } = fault;
}
