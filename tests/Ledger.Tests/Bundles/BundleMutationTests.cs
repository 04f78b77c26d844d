using MeshLedger.Ledger.Bundles;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>No single change of a bundle goes unnoticed: every byte is signed, or follows from what is.</summary>
public sealed class BundleMutationTests(BundleFixture fixture) : IClassFixture<BundleFixture>
{
    private const int Mutations = 1200;

    [Fact]
    public async Task Whatever_is_changed_is_refused()
    {
        var bundle = await fixture.ExportAsync("job-again");
        var other = await fixture.ExportAsync("job-three-2");
        Assert.True((await fixture.VerifyAsync(bundle)).IsProven);
        var random = new Random(20_261_121);
        var tried = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < Mutations; i++)
        {
            var (what, changed) = BundleMutation.Any(random, bundle, other);
            if (changed.AsSpan().SequenceEqual(bundle))
            {
                continue;
            }

            tried[what.Split(':')[0]] = tried.GetValueOrDefault(what.Split(':')[0]) + 1;
            var report = await fixture.VerifyAsync(changed);
            Assert.False(report.IsProven, $"mutation {i} is not seen: {what}");
            Assert.All(report.Faults, fault => Assert.True(fault is { Kind.Length: > 0, Place.Length: > 0, Expected.Length: > 0, Found.Length: > 0 }));
        }

        Assert.Equal(10, tried.Count);
        Assert.All(tried.Values, count => Assert.True(count > 40));
    }

    [Fact]
    public async Task Every_bit_of_a_small_bundles_first_headers_and_its_end_counts()
    {
        var bundle = await fixture.ExportAsync("job-alone-1");
        var bytes = Enumerable.Range(0, 512).Concat(Enumerable.Range(bundle.Length - 1024, 1024));
        foreach (var at in bytes)
        {
            var changed = bundle.ToArray();
            changed[at] ^= (byte)(1 << (at % 8));
            Assert.Equal("not_a_bundle", (await fixture.VerifyAsync(changed)).Faults[0].Kind);
        }
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("events/../bundle.json")]
    [InlineData("events/01.json")]
    [InlineData("events/0.json")]
    [InlineData("events/99999999999999999999.json")]
    [InlineData("blobs/ABCD")]
    [InlineData("zzz")]
    public async Task A_name_that_no_bundle_has_is_refused_before_anything_is_read(string name)
    {
        var archive = Archive.Of(await fixture.ExportAsync("job-alone-1"));
        archive.Entries.Add((name, [1]));
        archive.Entries.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
        var fault = Assert.Single((await fixture.VerifyAsync(archive.ToBytes())).Faults);
        Assert.Equal(("not_a_bundle", name), (fault.Kind, fault.Place));
    }

    [Fact]
    public async Task A_link_a_directory_and_a_size_that_is_not_there_are_refused()
    {
        var bundle = await fixture.ExportAsync("job-alone-1");
        foreach (var type in "125LxgA\0"u8.ToArray())
        {
            var changed = bundle.ToArray();
            changed[156] = type;
            Assert.Equal("not_a_bundle", (await fixture.VerifyAsync(changed)).Faults[0].Kind);
        }

        foreach (var size in (long[])[9L << 20, 600L << 20, UstarHeader.MaxSize])
        {
            var huge = UstarHeader.Write("bundle.json", size);
            Assert.Equal("not_a_bundle", (await fixture.VerifyAsync(huge)).Faults[0].Kind);
        }

        // A blob may be large; that it ends before its end is noticed when it does.
        var blob = UstarHeader.Write($"blobs/{new string('a', 64)}", UstarHeader.MaxSize);
        Assert.Contains("the end of the file", (await fixture.VerifyAsync(blob)).Faults[0].Found, StringComparison.Ordinal);
        Assert.Equal("not_a_bundle", (await fixture.VerifyAsync([])).Faults[0].Kind);
        Assert.Equal("wrong_head", (await fixture.VerifyAsync(new byte[1024])).Faults[0].Kind);
    }

    [Fact]
    public async Task A_log_of_ones_own_proves_nothing_to_others()
    {
        var forger = await BundleFixture.OfAsync(fixture.Story);
        try
        {
            var report = await fixture.VerifyAsync(await forger.ExportAsync("job-alone-1"));
            Assert.Equal("untrusted_log", report.Faults[0].Kind);
        }
        finally
        {
            await forger.DisposeAsync();
        }
    }
}
