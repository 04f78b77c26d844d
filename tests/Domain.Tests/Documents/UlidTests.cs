using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class UlidTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);

    private static readonly Arbitrary<Ulid> Ids = Gen.Choose(0, 255)
        .ArrayOf(Ulid.RandomSize)
        .SelectMany(bytes => Gen.Choose(1, int.MaxValue).Select(seconds => new Ulid(
            DateTimeOffset.FromUnixTimeSeconds(seconds * 100L),
            bytes.Select(part => (byte)part).ToArray())))
        .ToArbitrary();

    [Fact]
    public void The_text_is_time_then_random_in_base_32()
    {
        var id = new Ulid(DateTimeOffset.FromUnixTimeMilliseconds(1), [0, 0, 0, 0, 0, 0, 0, 0, 0, 33]);

        Assert.Equal("00000000010000000000000011", id.ToString());
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1), id.Time);
    }

    [Fact]
    public void Text_reads_back_in_either_case() => Prop.ForAll(Ids, id =>
            Ulid.Parse(id.ToString()) == id
            && Ulid.Parse(id.ToString().ToLowerInvariant()) == id
            && id.ToString().Length == Ulid.TextLength)
        .QuickCheckThrowOnFailure();

    [Fact]
    public void Order_is_that_of_the_texts() => Prop.ForAll(Ids, Ids, (left, right) =>
            Math.Sign(left.CompareTo(right)) == Math.Sign(string.CompareOrdinal(left.ToString(), right.ToString()))
            && (left < right) == (right > left)
            && (left <= right) == !(left > right))
        .QuickCheckThrowOnFailure();

    [Fact]
    public void The_time_is_kept_to_the_millisecond()
    {
        var id = new Ulid(At.AddTicks(99), new byte[Ulid.RandomSize]);

        Assert.Equal(At, id.Time);
    }

    [Theory]
    [InlineData("")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSNA")]
    [InlineData("80000000000000000000000000")]
    [InlineData("ZZZZZZZZZZZZZZZZZZZZZZZZZZ")]
    [InlineData("00000000000000000000000000")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSU")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSI")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSL")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSO")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RS-")]
    [InlineData("01JAB3Y7X5K4M8F9W2T6QZ0RSſ")]
    public void Anything_else_is_no_id(string text)
    {
        Assert.False(Ulid.TryParse(text, out var id));
        Assert.True(id.IsDefault);
        Assert.Contains(Ulid.Expected, Assert.Throws<FormatException>(() => Ulid.Parse(text)).Message);
    }

    [Fact]
    public void The_greatest_id_reads_back_but_has_no_time()
    {
        var id = Ulid.Parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ");

        Assert.Equal("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", id.ToString());
        Assert.Throws<InvalidOperationException>(() => id.Time);
    }

    [Fact]
    public void A_wrong_number_of_random_bytes_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new Ulid(At, new byte[9]));
        Assert.Throws<ArgumentException>(() => new Ulid(DateTimeOffset.UnixEpoch, new byte[Ulid.RandomSize]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Ulid(DateTimeOffset.UnixEpoch.AddDays(-1), new byte[10]));
    }

    [Fact]
    public void Within_a_millisecond_ids_count_up()
    {
        var factory = new UlidFactory(new ManualClock(At), bytes => bytes.Fill(7));

        var first = factory.New();
        var second = factory.New();

        Assert.Equal(At, second.Time);
        Assert.Equal(first.ToString()[..^1], second.ToString()[..^1]);
        Assert.True(second > first);
    }

    [Fact]
    public void An_exhausted_random_part_carries_into_the_next_millisecond()
    {
        var factory = new UlidFactory(new ManualClock(At), bytes => bytes.Fill(0xFF));

        var first = factory.New();
        var second = factory.New();

        Assert.Equal(At.AddMilliseconds(1), second.Time);
        Assert.EndsWith("0000000000000000", second.ToString(), StringComparison.Ordinal);
        Assert.True(second > first);
    }

    [Fact]
    public void Ids_ascend_whatever_the_clock_does() => Prop.ForAll(
            ArbMap.Default.ArbFor<int[]>(),
            jumps =>
            {
                var clock = new ManualClock(At);
                var random = new Random(jumps.Length);
                var factory = new UlidFactory(clock, random.NextBytes);
                var last = factory.New();
                foreach (var jump in jumps)
                {
                    clock.Now = clock.Now.AddMilliseconds(jump % 5);
                    var next = factory.New();
                    if (next <= last)
                    {
                        return false;
                    }

                    last = next;
                }

                return true;
            })
        .QuickCheckThrowOnFailure();

    [Fact]
    public void Threads_that_share_a_factory_never_get_the_same_id()
    {
        var random = new Random(1);
        var factory = new UlidFactory(new ManualClock(At), bytes =>
        {
            lock (random)
            {
                random.NextBytes(bytes);
            }
        });

        var ids = Enumerable.Range(0, 4)
            .AsParallel()
            .SelectMany(_ => Enumerable.Range(0, 1000).Select(_ => factory.New()).ToArray())
            .ToHashSet();

        Assert.Equal(4000, ids.Count);
    }

    private sealed class ManualClock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
