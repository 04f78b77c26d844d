using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class SemanticVersionTests
{
    private static readonly string[] Numbers = ["0", "1", "2", "9", "10", "99", "18446744073709551616"];
    private static readonly string[] Words = ["alpha", "beta", "rc", "x-1", "-", "0a", "1", "2", "11", "0"];

    private static readonly Gen<string> Number = Gen.Elements(Numbers);

    private static readonly Gen<string> Suffix =
        Gen.Elements(Words).NonEmptyListOf().Select(words => string.Join('.', words.Take(3)));

    private static readonly Arbitrary<SemanticVersion> Versions = (
        from major in Number
        from minor in Number
        from patch in Number
        from prerelease in Gen.OneOf(Gen.Constant(""), Suffix.Select(text => "-" + text))
        from build in Gen.OneOf(Gen.Constant(""), Suffix.Select(text => "+" + text))
        select SemanticVersion.Parse($"{major}.{minor}.{patch}{prerelease}{build}")).ToArbitrary();

    [Fact]
    public void Precedence_follows_the_specification()
    {
        string[] ascending =
        [
            "0.0.0-0", "0.0.0", "0.9.10", "0.10.0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1",
            "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "2.0.0",
            "2.1.0", "2.1.1", "10.0.0", "99999999999999999999.0.0",
        ];

        for (var i = 0; i < ascending.Length; i++)
        {
            for (var j = 0; j < ascending.Length; j++)
            {
                var order = SemanticVersion.Parse(ascending[i]).CompareTo(SemanticVersion.Parse(ascending[j]));
                Assert.Equal(Math.Sign(i.CompareTo(j)), Math.Sign(order));
            }
        }
    }

    [Fact]
    public void Build_metadata_counts_for_neither_order_nor_equality()
    {
        var left = SemanticVersion.Parse("1.0.0-rc.1+a-b");
        var right = SemanticVersion.Parse("1.0.0-rc.1+007");

        Assert.Equal(left, right);
        Assert.True(left >= right && left <= right && left == right);
        Assert.Equal(left.GetHashCode(), right.GetHashCode());
        Assert.Equal("1.0.0-rc.1+007", right.ToString());
    }

    [Fact]
    public void Order_is_total_and_agrees_with_equality() => Prop.ForAll(Versions, Versions, Versions, (a, b, c) =>
            Math.Sign(a.CompareTo(b)) == -Math.Sign(b.CompareTo(a))
            && (!(a <= b && b <= c) || a <= c)
            && a.Equals(b) == (a.CompareTo(b) == 0)
            && (!a.Equals(b) || a.GetHashCode() == b.GetHashCode())
            && (a < b) == (b > a) && (a != b) == !(a == b))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void Every_version_reads_back() => Prop.ForAll(Versions, version =>
            SemanticVersion.Parse(version.ToString()).ToString() == version.ToString())
        .QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("1.2")]
    [InlineData("1.2.3.4")]
    [InlineData("v1.2.3")]
    [InlineData("01.2.3")]
    [InlineData("1.2.03")]
    [InlineData("1..3")]
    [InlineData("1.2.3-")]
    [InlineData("1.2.3+")]
    [InlineData("1.2.3-+b")]
    [InlineData("1.2.3-01")]
    [InlineData("1.2.3-a..b")]
    [InlineData("1.2.3-a.")]
    [InlineData("1.2.3+a+b")]
    [InlineData("1.2.3-ä")]
    [InlineData(" 1.2.3")]
    [InlineData("1.2.3\n")]
    [InlineData("1.2.٣")]
    [InlineData(null)]
    public void Anything_else_is_no_version(string? text)
    {
        Assert.False(SemanticVersion.TryParse(text, out var version));
        Assert.True(version.IsDefault);
        Assert.Throws<FormatException>(() => SemanticVersion.Parse(text));
    }

    [Fact]
    public void A_version_has_at_most_256_characters()
    {
        Assert.True(SemanticVersion.TryParse("1.0.0-" + new string('a', 250), out _));
        Assert.False(SemanticVersion.TryParse("1.0.0-" + new string('a', 251), out _));
    }

    [Fact]
    public void The_default_value_comes_first()
    {
        Assert.True(default(SemanticVersion) < SemanticVersion.Parse("0.0.0-0"));
        Assert.Equal(default, default(SemanticVersion));
    }
}
