using MeshLedger.Tools.Jobs;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Lengths of time are rounded, and none is longer than its unit.</summary>
public sealed class LengthTests
{
    [Theory]
    [InlineData(-5, "0 s")]
    [InlineData(0, "0 s")]
    [InlineData(49, "0 s")]
    [InlineData(50, "0.1 s")]
    [InlineData(5780, "5.8 s")]
    [InlineData(9949, "9.9 s")]
    [InlineData(9950, "10 s")]
    [InlineData(10_980, "11 s")]
    [InlineData(119_499, "119 s")]
    [InlineData(119_500, "2 min")]
    [InlineData(200_499, "3 min 20 s")]
    [InlineData(7_199_499, "119 min 59 s")]
    [InlineData(7_199_500, "2 h")]
    [InlineData(7_530_000, "2 h 6 min")]
    [InlineData(10_799_000, "3 h")]
    public void A_length_is_rounded(int milliseconds, string expected) =>
        Assert.Equal(expected, JobEventText.Length(TimeSpan.FromMilliseconds(milliseconds)));
}
