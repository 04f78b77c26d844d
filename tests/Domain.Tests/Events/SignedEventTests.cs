using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Tests.Events;

public sealed class SignedEventTests
{
    [Fact]
    public void Every_event_of_a_batch_of_any_size_verifies_by_itself()
    {
        var verifier = new BatchVerifier(capacity: 3);
        for (var size = 1; size <= 40; size++)
        {
            Assert.All(Batch(size), signed =>
            {
                Assert.True(signed.Verify());
                Assert.True(signed.Verify(verifier));
                Assert.Equal(size == 1, signed.Proof is null);
            });
        }
    }

    [Fact]
    public void Any_flipped_bit_of_what_is_signed_fails() =>
        Prop.ForAll(Gen.Choose(1, 20).ToArbitrary(), size =>
        {
            var batch = Batch(size);
            var signed = batch[size / 2];
            for (var bit = 0; bit < 512; bit++)
            {
                var signature = signed.Signature.ToArray();
                Flip(signature, bit);
                Fails(new SignedEvent(signed.Statement, signature, signed.Proof));
            }

            var text = signed.Statement.Data.ToArray();
            for (var bit = 0; bit < text.Length * 8; bit++)
            {
                var data = (byte[])text.Clone();
                Flip(data, bit);
                Fails(signed, statement => Create(statement, data: data));
            }

            for (var bit = 0; bit < 256; bit++)
            {
                var changed = bit;
                Fails(signed, statement => Create(statement, by: new Did(Flipped(statement.By.CopyKeyTo, changed))));
                Fails(signed, statement => Create(statement, cause: new Digest(Flipped(statement.Cause!.Value.CopyTo, changed))));
            }

            Fails(signed, statement => Create(statement, time: statement.Time.AddMicroseconds(1)));
            Fails(signed, statement => Create(statement, id: EventId.New(statement.Time)));
            Fails(signed, statement => Create(statement, stream: StreamId.Parse("b")));
            Fails(signed, statement => Create(statement, type: "account_closed"));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5));

    [Fact]
    public void A_proof_that_leads_elsewhere_fails()
    {
        for (var size = 2; size <= 20; size++)
        {
            foreach (var signed in Batch(size))
            {
                var proof = signed.Proof!;
                // Another index or size that leads along the same path is the audit's to find.
                var height = proof.Path.Count;
                for (var other = (1 << height) + 1; other <= 64; other++)
                {
                    Fails(With(signed, proof with { Size = other, Index = other - 1, Path = [.. proof.Path.Take(height - 1)] }));
                }

                Fails(With(signed, proof with { Index = -1 }));
                Fails(With(signed, proof with { Index = proof.Size }));
                Fails(With(signed, proof with { Index = proof.Index ^ 1, Size = 1 << height }));
                Fails(With(signed, null));
                Fails(With(signed, proof with { Path = [.. proof.Path, Digest.OfBytes([])] }));
                Fails(With(signed, proof with { Path = [.. proof.Path.Skip(1)] }));
                for (var bit = 0; bit < 256; bit += 37)
                {
                    for (var node = 0; node < proof.Path.Count; node++)
                    {
                        var path = proof.Path.ToArray();
                        path[node] = new Digest(Flipped(path[node].CopyTo, bit));
                        Fails(With(signed, proof with { Path = path }));
                    }
                }
            }
        }
    }

    [Fact]
    public void A_batch_of_one_is_not_taken_for_a_leaf_of_another()
    {
        var signed = Batch(1)[0];
        Fails(With(signed, new BatchProof(0, 1, [])));
        Fails(With(signed, new BatchProof(0, 2, [])));
        Fails(With(signed, new BatchProof(0, SignedEvent.MaxBatch + 1, [])));
    }

    [Fact]
    public void A_verifier_that_knows_a_batch_still_looks_at_every_member()
    {
        var verifier = new BatchVerifier();
        var batch = Batch(5);
        Assert.True(batch[0].Verify(verifier));
        Assert.False(With(batch[0], batch[0].Proof! with { Index = 1 }).Verify(verifier));
        Assert.False(new SignedEvent(batch[0].Statement, new byte[64], batch[0].Proof).Verify(verifier));
        Assert.False(new SignedEvent(batch[0].Statement, batch[0].Signature, batch[1].Proof).Verify(verifier));
        Assert.True(batch[4].Verify(verifier));
    }

    [Fact]
    public void The_first_bad_event_among_many_is_named_whole_batches_or_not()
    {
        for (var size = 1; size <= 9; size++)
        {
            var batch = Batch(size);
            SignedEvent[] all = [.. Batch(3), .. batch, .. Batch(1)];
            Assert.Null(new BatchVerifier().FirstBad(all));
            Assert.Null(new BatchVerifier().FirstBad([.. batch.Reverse()]));
            Assert.Null(new BatchVerifier().FirstBad([.. batch.Skip(1)]));
            for (var i = 0; i < size; i++)
            {
                var bad = With(batch[i], batch[i].Proof is { } proof ? proof with { Path = [Digest.OfBytes([])] } : new BatchProof(0, 2, []));
                SignedEvent[] spoilt = [.. batch[..i], bad, .. batch[(i + 1)..]];
                Assert.Same(bad, new BatchVerifier().FirstBad(spoilt));
                var forged = new SignedEvent(batch[i].Statement, new byte[64], batch[i].Proof);
                Assert.Same(forged, new BatchVerifier().FirstBad([.. batch[..i], forged, .. batch[(i + 1)..]]));
            }
        }
    }

    [Fact]
    public void A_batch_is_one_author_s_and_neither_empty_nor_too_large()
    {
        var statement = Batch(1)[0].Statement;
        Assert.Throws<ArgumentException>(() => SignedEvent.Sign(Actors.Node, []));
        Assert.Throws<ArgumentException>(() => SignedEvent.Sign(Actors.Worker, [statement]));
        Assert.Throws<ArgumentException>(
            () => SignedEvent.Sign(Actors.Node, [.. Enumerable.Repeat(statement, SignedEvent.MaxBatch + 1)]));
    }

    private static SignedEvent[] Batch(int size) => SignedEvent.Sign(Actors.Node, [.. Enumerable.Range(0, size).Select(i =>
        Actors.State(Actors.Node, new AccountEvent.Opened(i, 0, 0), Digest.OfBytes([(byte)i]), StreamId.Parse("a"), i))]);

    private static SignedEvent With(SignedEvent signed, BatchProof? proof) => new(signed.Statement, signed.Signature, proof);

    private static void Fails(SignedEvent signed, Func<Statement, Statement?> change)
    {
        if (change(signed.Statement) is { } changed)
        {
            Fails(new SignedEvent(changed, signed.Signature, signed.Proof));
        }
    }

    private static void Fails(SignedEvent signed)
    {
        Assert.False(signed.Verify());
        Assert.False(signed.Verify(new BatchVerifier()));
    }

    /// <summary>The statement with other parts; null if they make none.</summary>
    private static Statement? Create(
        Statement from, Did? by = null, Digest? cause = null, byte[]? data = null, EventId? id = null,
        StreamId? stream = null, DateTimeOffset? time = null, string? type = null)
    {
        try
        {
            return Statement.Create(
                by ?? from.By, cause ?? from.Cause, data ?? from.Data.Span, id ?? from.Id, stream ?? from.Stream,
                time ?? from.Time, type ?? from.Type);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private delegate void CopyTo(Span<byte> destination);

    private static byte[] Flipped(CopyTo copy, int bit)
    {
        var bytes = new byte[32];
        copy(bytes);
        Flip(bytes, bit);
        return bytes;
    }

    private static void Flip(byte[] bytes, int bit) => bytes[bit / 8] ^= (byte)(1 << (bit % 8));
}
