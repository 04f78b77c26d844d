using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Machines.Tests;

public sealed class KernelImageTests
{
    [Fact]
    public void A_block_with_a_match_that_reaches_into_itself_repeats_it()
    {
        // Token 0x2_8: two literals "ab", then 8 + 4 bytes from 2 back; token 0x50: five literals, and the end.
        byte[] packed = [0x28, (byte)'a', (byte)'b', 2, 0, 0x50, .. "cdefg"u8];
        var output = new byte[64];

        var count = KernelImage.UnpackBlock(packed, output);

        Assert.Equal("ababababababab" + "cdefg", System.Text.Encoding.ASCII.GetString(output, 0, count));
    }

    [Fact]
    public void Damaged_blocks_are_refused_and_never_leave_their_bounds()
    {
        Prop.ForAll(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf().ToArbitrary(), packed =>
            KernelImage.UnpackBlock(packed, new byte[100]) is >= -1 and <= 100).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3 })]
    public void What_is_no_packed_kernel_is_left_as_it_is(byte[] image)
    {
        Assert.False(KernelImage.TryUnpack(image, Stream.Null));
        Assert.False(KernelImage.TryUnpack(new byte[4096], Stream.Null));
    }
}
