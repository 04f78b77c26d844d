using MeshLedger.Crypto;

namespace MeshLedger.Domain.Events;

/// <summary>Where a statement stands in the batch that was signed: index from 0, number of statements, and the
/// RFC 6962 audit path.</summary>
public sealed record BatchProof(int Index, int Size, IReadOnlyList<Digest> Path);

/// <summary>
/// A statement with its author's signature. An author signs a batch of statements at once: Ed25519 over the ASCII
/// bytes <c>meshledger/batch/v1</c>, one zero byte, and the batch's 32-byte root (RFC 6962 tree hash over the
/// statements; for one statement, its digest). Each event carries the audit path to that root, so it verifies alone.
/// </summary>
public sealed class SignedEvent
{
    /// <summary>The most statements that one signature covers.</summary>
    public const int MaxBatch = 4096;

    private static readonly byte[] Domain = [.. "meshledger/batch/v1\0"u8];

    public SignedEvent(Statement statement, ReadOnlyMemory<byte> signature, BatchProof? proof)
    {
        Statement = statement;
        Signature = signature;
        Proof = proof;
    }

    public Statement Statement { get; }

    /// <summary>Ed25519, 64 bytes.</summary>
    public ReadOnlyMemory<byte> Signature { get; }

    /// <summary>Null for a batch of one.</summary>
    public BatchProof? Proof { get; }

    public Digest Digest => Statement.Digest;

    /// <summary>Signs <paramref name="statements"/> as one batch. All must be by <paramref name="key"/>.</summary>
    public static SignedEvent[] Sign(SigningKey key, IReadOnlyList<Statement> statements)
    {
        if (statements.Count is 0 or > MaxBatch || statements.Any(statement => statement.By != key.Did))
        {
            throw new ArgumentException($"A batch is 1 to {MaxBatch} statements of one author.", nameof(statements));
        }

        if (statements.Count == 1)
        {
            return [new SignedEvent(statements[0], key.Sign(Message(statements[0].Digest)), proof: null)];
        }

        var leaves = new Digest[statements.Count];
        for (var i = 0; i < leaves.Length; i++)
        {
            leaves[i] = statements[i].Digest;
        }

        var signature = key.Sign(Message(MerkleTree.Root(leaves)));
        var signed = new SignedEvent[leaves.Length];
        var paths = MerkleTree.InclusionPaths(leaves);
        for (var i = 0; i < leaves.Length; i++)
        {
            signed[i] = new SignedEvent(statements[i], signature, new BatchProof(i, leaves.Length, paths[i]));
        }

        return signed;
    }

    /// <summary>True if the author signed this statement. Never throws for any content.</summary>
    public bool Verify() => IsSigned(Statement.By, Digest, Signature.Span, Proof);

    /// <summary>True if <paramref name="by"/> signed the statement of this digest, whatever it says. Never throws.</summary>
    public static bool IsSigned(Did by, Digest digest, ReadOnlySpan<byte> signature, BatchProof? proof) =>
        BatchRoot(digest, proof) is { } root && Ed25519.Verify(by, Message(root), signature);

    /// <summary>As the other, remembering batches that verified.</summary>
    public static bool IsSigned(
        Did by, Digest digest, ReadOnlyMemory<byte> signature, BatchProof? proof, BatchVerifier verifier) =>
        BatchRoot(digest, proof) is { } root && verifier.Verify(by, root, signature);

    /// <summary>As <see cref="Verify()"/>, remembering batches that verified, so that a batch costs one verification.
    /// </summary>
    public bool Verify(BatchVerifier verifier) => IsSigned(Statement.By, Digest, Signature, Proof, verifier);

    /// <summary>The signed bytes for a batch root.</summary>
    internal static byte[] Message(Digest root)
    {
        var message = new byte[Domain.Length + Digest.Size];
        Domain.CopyTo(message, 0);
        root.CopyTo(message.AsSpan(Domain.Length));
        return message;
    }

    /// <summary>The root that the proof leads to, or null when the proof is malformed.</summary>
    private static Digest? BatchRoot(Digest digest, BatchProof? proof)
    {
        if (proof is null)
        {
            return digest;
        }

        return proof.Size is < 2 or > MaxBatch
            ? null
            : MerkleTree.RootFromPath(digest, proof.Index, proof.Size, [.. proof.Path]);
    }
}

/// <summary>An event as the ledger holds it.</summary>
/// <param name="Position">Place in the whole log, from 1, without holes.</param>
/// <param name="Version">Place in its stream, from 1, without holes.</param>
/// <param name="AppendedAt">By the clock of the node that appended it.</param>
public sealed record RecordedEvent(SignedEvent Event, long Position, long Version, DateTimeOffset AppendedAt)
{
    public Statement Statement => Event.Statement;
}
