using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Machines.Tests;

public sealed class GuestRecordTests
{
    private static readonly byte[] Hello = Frame(1, [.. "MLVM"u8, 1, 0, 0, 0]);
    private static readonly byte[] End = Frame(6, new byte[40]);

    [Fact]
    public void A_record_is_read_however_it_is_cut()
    {
        byte[] bytes = [.. Hello, .. Frame(2, "out"u8), .. Frame(3, "err"u8), .. Frame(2, "put"u8),
            .. Frame(4, [.. Number(0), .. Number(0), .. new byte[8]]), .. Frame(5, [.. Number(0), .. "file"u8]), .. End];
        Prop.ForAll(Gen.Choose(1, bytes.Length).ToArbitrary(), piece =>
        {
            var record = new GuestRecord(100, ["/f"]);
            foreach (var chunk in bytes.Chunk(piece))
            {
                record.Add(chunk);
            }

            Assert.Equal("output"u8, record.Stdout.Bytes.Span);
            Assert.Equal("err"u8, record.Stderr.Bytes.Span);
            Assert.Equal("file"u8, record.Files.Single().Content!.Bytes.Span);
            Assert.Equal(GuestEnd.Exited, record.Ending!.Kind);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Memory_stays_bounded_by_the_cap_whatever_comes()
    {
        var record = new GuestRecord(1000, []);
        record.Add(Hello);
        var frame = Frame(2, new byte[65536]);
        for (var i = 0; i < 1000; i++)
        {
            record.Add(frame);
        }

        Assert.Equal((1000, true), (record.Stdout.Bytes.Length, record.Stdout.Truncated));
    }

    public static TheoryData<string, byte[]> Forgeries => new()
    {
        { "no greeting", Frame(2, "x"u8) },
        { "two greetings", [.. Hello, .. Hello] },
        { "another version", Frame(1, [.. "MLVM"u8, 2, 0, 0, 0]) },
        { "a length beyond all bounds", [.. Hello, 2, 0xFF, 0xFF, 0xFF, 0xFF] },
        { "a length just too long", [.. Hello, 2, .. Number((64 * 1024) + 65)] },
        { "an unknown kind", [.. Hello, .. Frame(9, [])] },
        { "a file that was not asked for", [.. Hello, .. Frame(4, [.. Number(1), .. new byte[12]])] },
        { "a file with a negative index", [.. Hello, .. Frame(4, [.. Number(-1), .. new byte[12]])] },
        { "a piece before its file", [.. Hello, .. Frame(5, Number(0))] },
        { "a piece without an index", [.. Hello, .. Frame(4, new byte[16]), .. Frame(5, [0])] },
        { "a piece of a file that could not be had",
            [.. Hello, .. Frame(4, [.. Number(0), .. Number(2), .. new byte[8]]), .. Frame(5, Number(0))] },
        { "a short ending", [.. Hello, .. Frame(6, new byte[39])] },
        { "an ending of no kind", [.. Hello, .. Frame(6, [.. Number(4), .. new byte[36]])] },
    };

    [Theory]
    [MemberData(nameof(Forgeries))]
    public void What_no_init_of_ours_sends_is_refused(string what, byte[] bytes)
    {
        Assert.NotEmpty(what);
        var record = new GuestRecord(1000, ["/one"]);
        Assert.Throws<GuestRecordException>(() => record.Add(bytes));
    }

    [Fact]
    public void Any_bytes_are_read_or_refused()
    {
        Prop.ForAll(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf().ToArbitrary(), bytes =>
        {
            var record = new GuestRecord(10, ["/one"]);
            try
            {
                record.Add([.. Hello, .. bytes]);
            }
            catch (GuestRecordException)
            {
                return true;
            }

            return record.Stdout.Bytes.Length <= 10;
        }).QuickCheckThrowOnFailure();
    }

    private static byte[] Frame(byte kind, ReadOnlySpan<byte> payload) =>
        [kind, .. Number(payload.Length), .. payload];

    private static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}
