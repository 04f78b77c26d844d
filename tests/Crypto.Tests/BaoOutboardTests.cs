using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

/// <summary>Outboards of groups of 16 KiB: made, verified against, and received.</summary>
public sealed class BaoOutboardTests
{
    [Fact]
    public void An_outboard_s_root_is_the_hash_and_all_its_groups_verify()
    {
        foreach (var length in BaoSamples.Lengths)
        {
            foreach (var groupLog in new[] { 0, 1, 4, 10 })
            {
                var content = BaoSamples.Content(length);
                var outboard = BaoSamples.Outboard(content, out var root, groupLog);
                var tree = new BaoTree(length, groupLog);
                Assert.Equal(Blake3.Hash(content), root);
                Assert.Equal(tree.OutboardBytes, outboard.Length);
                Assert.Equal(length, BinaryPrimitives.ReadInt64LittleEndian(outboard));
                var nodes = ByteSource.Of(outboard);
                Assert.True(new BaoVerifier(root, tree, nodes).Verify(0, content, out _));
                Assert.True(new BaoVerifier(root, tree, nodes).Verify(0, content, out _, parallel: true));
            }
        }
    }

    [Fact]
    public void Any_split_gives_one_outboard()
    {
        var inputs = Gen.Choose(0, 3_000_000).SelectMany(length =>
            Gen.OneOf(Gen.Choose(1, 40_000), Gen.Choose(1, 1_500_000)).NonEmptyListOf()
                .Select(pieces => (length, pieces)));
        Prop.ForAll(inputs.ToArbitrary(), input =>
        {
            var content = BaoSamples.Content(input.length);
            using var split = new MemoryStream();
            var writer = new BaoOutboardWriter(split);
            var rest = content.AsSpan();
            foreach (var piece in input.pieces)
            {
                var take = Math.Min(piece, rest.Length);
                writer.Update(rest[..take]);
                rest = rest[take..];
            }

            writer.UpdateParallel(rest);
            var expected = BaoSamples.Outboard(content, out var root);
            return writer.Finish() == (root, input.length) && expected.AsSpan().SequenceEqual(split.ToArray());
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(2048)]
    [InlineData(2049)]
    [InlineData(3000)]
    [InlineData(5121)]
    public void An_outboard_that_does_not_fit_in_memory_is_made_in_place(int chunks)
    {
        // Blocks of 1024 values are what the writer keeps; a file that held something else before is cut.
        var content = BaoSamples.Content((chunks * 1024) - 5);
        using var outboard = new MemoryStream();
        outboard.Write(new byte[1_000_000]);
        var writer = new BaoOutboardWriter(outboard, 0);
        writer.Update(content);
        var (root, length) = writer.Finish();
        Assert.Equal((Blake3.Hash(content), content.Length), (root, length));
        var tree = new BaoTree(content.Length, 0);
        Assert.Equal(tree.OutboardBytes, outboard.Length);
        var receiver = new BaoOutboardReceiver(root, tree);
        Assert.True(receiver.Accept(outboard.ToArray(), out _));
        Assert.True(receiver.IsComplete);
        Assert.True(new BaoVerifier(root, tree, ByteSource.Of(outboard.ToArray())).Verify(0, content, out _));
    }

    [Fact]
    public void A_writer_is_done_once_it_finished()
    {
        var writer = new BaoOutboardWriter(new MemoryStream());
        writer.Finish();
        Assert.Throws<ObjectDisposedException>(() => writer.Update([1]));
        Assert.Throws<ObjectDisposedException>(() => writer.Finish());
        Assert.Throws<ArgumentException>(() => new BaoOutboardWriter(new MemoryStream([], writable: false)));
    }

    [Fact]
    public void Groups_verify_in_any_order()
    {
        var content = BaoSamples.Content(1_000_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        var verifier = new BaoVerifier(root, tree, ByteSource.Of(outboard));
        var orders = Gen.Choose(0, (int)tree.Groups - 1).ListOf();
        Prop.ForAll(orders.ToArbitrary(), groups => groups.All(group =>
            verifier.Verify(group, content.AsSpan((int)tree.GroupOffset(group), tree.GroupLength(group)), out _)))
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_flipped_bit_of_the_content_is_found_in_its_group()
    {
        var content = BaoSamples.Content(300_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        Prop.ForAll(Gen.Choose(0, content.Length - 1).ToArbitrary(), at =>
        {
            var verifier = new BaoVerifier(root, tree, ByteSource.Of(outboard));
            var group = at / tree.GroupBytes;
            return !verifier.Verify(0, BaoSamples.WithFlippedByte(content, at), out var fault)
                && fault == new BaoFault(BaoPart.Content, tree.GroupOffset(group))
                && verifier.Verify(0, content, out _);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_flipped_bit_of_the_outboard_is_found_in_its_node()
    {
        var content = BaoSamples.Content(300_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        Prop.ForAll(Gen.Choose(0, outboard.Length - 1).ToArbitrary(), at =>
        {
            var bad = BaoSamples.WithFlippedByte(outboard, at);
            var node = at < 8 ? 0 : 8 + ((at - 8) / 64 * 64);
            var receiver = new BaoOutboardReceiver(root, tree);
            return !new BaoVerifier(root, tree, ByteSource.Of(bad)).Verify(0, content, out var fault)
                && fault == new BaoFault(BaoPart.Nodes, node)
                && !receiver.Accept(bad, out fault)
                && fault == new BaoFault(BaoPart.Nodes, node)
                && receiver.Verified == node;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void An_outboard_that_was_healed_verifies_again()
    {
        var content = BaoSamples.Content(300_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var kept = (byte[])outboard.Clone();
        kept[100] ^= 1;
        var verifier = new BaoVerifier(root, new BaoTree(content.Length), ByteSource.Of(kept));
        Assert.False(verifier.Verify(0, content, out _));
        outboard.CopyTo(kept, 0);
        Assert.True(verifier.Verify(0, content, out _));
    }

    [Fact]
    public void A_short_outboard_is_a_fault_of_the_node_that_is_missing()
    {
        var content = BaoSamples.Content(300_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        for (var length = 0; length < outboard.Length; length++)
        {
            var verifier = new BaoVerifier(root, tree, ByteSource.Of(outboard.AsMemory(0, length)));
            Assert.False(verifier.Verify(0, content, out var fault));
            Assert.Equal(new BaoFault(BaoPart.Nodes, length < 8 ? 0 : 8 + ((length - 8) / 64 * 64)), fault);
        }
    }

    [Fact]
    public void A_length_that_is_not_the_content_s_never_verifies_to_the_end()
    {
        foreach (var length in BaoSamples.Lengths)
        {
            var content = BaoSamples.Content(length + 1);
            var outboard = BaoSamples.Outboard(content[..length], out var root);
            foreach (var claim in new[] { length - 1, length + 1 }.Where(claim => claim >= 0))
            {
                BinaryPrimitives.WriteInt64LittleEndian(outboard, claim);
                var verifier = new BaoVerifier(root, new BaoTree(claim), ByteSource.Of(outboard));
                Assert.False(verifier.Verify(0, content.AsSpan(0, claim), out _));
            }
        }
    }

    [Fact]
    public void Pieces_of_any_size_are_received_and_nothing_after_the_end_is()
    {
        var content = BaoSamples.Content(500_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var tree = new BaoTree(content.Length);
        Prop.ForAll(Gen.Choose(1, 200).NonEmptyListOf().ToArbitrary(), pieces =>
        {
            var receiver = new BaoOutboardReceiver(root, tree);
            var at = 0;
            for (var i = 0; at < outboard.Length; i++)
            {
                var take = Math.Min(pieces[i % pieces.Count], outboard.Length - at);
                var accepted = receiver.Accept(outboard.AsSpan(at, take), out _);
                at += take;
                if (!accepted || receiver.IsComplete != (at == outboard.Length))
                {
                    return false;
                }
            }

            return !receiver.Accept([0], out var fault) && fault.Offset == outboard.Length
                && !receiver.Accept([], out _);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(0, 1, 8)]
    [InlineData(1, 1, 8)]
    [InlineData(16_384, 1, 8)]
    [InlineData(16_385, 2, 72)]
    [InlineData(long.MaxValue, 1L << 49, 8 + (64 * ((1L << 49) - 1)))]
    public void A_tree_has_the_size_that_its_length_says(long length, long groups, long outboardBytes)
    {
        var tree = new BaoTree(length);
        Assert.Equal((groups, outboardBytes), (tree.Groups, tree.OutboardBytes));
        Assert.Equal(length, tree.GroupOffset(groups - 1) + tree.GroupLength(groups - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => tree.GroupOffset(groups));
        Assert.Throws<ArgumentOutOfRangeException>(() => tree.GroupLength(-1));
    }

    [Fact]
    public void Lengths_and_groups_that_cannot_be_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new BaoTree(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BaoTree(0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BaoTree(0, BaoTree.MaxGroupLog + 1));
        Assert.Equal(1L << 53, new BaoTree(long.MaxValue, 0).Groups);
    }

    [Fact]
    public void A_hostile_length_costs_no_memory()
    {
        var outboard = BaoSamples.Outboard(BaoSamples.Content(100_000), out var root);
        BinaryPrimitives.WriteInt64LittleEndian(outboard, long.MaxValue);
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var groupLog in new[] { 0, 4 })
        {
            var tree = new BaoTree(long.MaxValue, groupLog);
            var verifier = new BaoVerifier(root, tree, ByteSource.Of(outboard));
            Assert.False(verifier.Verify(tree.Groups - 1, new byte[tree.GroupBytes - 1], out _));
            Assert.False(new BaoOutboardReceiver(root, tree).Accept(outboard, out _));
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200_000);
    }

    [Fact]
    public void Content_that_is_no_whole_groups_is_a_mistake_of_the_caller()
    {
        var content = BaoSamples.Content(50_000);
        var outboard = BaoSamples.Outboard(content, out var root);
        var verifier = new BaoVerifier(root, new BaoTree(content.Length), ByteSource.Of(outboard));
        foreach (var (group, length) in new[] { (0, 0), (0, 100), (3, 847), (3, 16_384), (2, 32_768), (0, 50_001) })
        {
            Assert.Throws<ArgumentException>(() => verifier.Verify(group, new byte[length], out _));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => verifier.Verify(4, content.AsSpan(0, 1), out _));
    }
}
