using MeshLedger.Crypto;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Testing;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>A bundle of a log whose key was handed over brings the hand-over along.</summary>
public sealed class BundleHandOverTests : IAsyncLifetime
{
    internal static readonly NoteKey First = new(LedgerStory.LogName, NoteKeyType.Signature, LedgerStory.LogKeys[0].Did);

    private BundleFixture _fixture = null!;

    public async Task InitializeAsync() => _fixture = await BundleFixture.OfHandedOverAsync();

    public async Task DisposeAsync() => await _fixture.DisposeAsync();

    [Fact]
    public async Task Who_believes_either_key_believes_the_bundle()
    {
        var bundle = await _fixture.ExportAsync(BundleTests.All);
        foreach (var trusted in new[] { First, _fixture.Log })
        {
            var report = await _fixture.VerifyAsync(bundle, new BundlePolicy { Logs = [trusted] });
            Assert.Empty(report.Faults);
            Assert.Equal((_fixture.Log, trusted), (report.Key, report.TrustedKey));
        }

        var stranger = new NoteKey(LedgerStory.LogName, NoteKeyType.Signature, SigningKey.Generate().Did);
        var refused = await _fixture.VerifyAsync(bundle, new BundlePolicy { Logs = [stranger] });
        Assert.Equal("bad_signature", refused.Faults[0].Kind);
        Assert.Null(refused.TrustedKey);
    }

    [Fact]
    public async Task Without_the_hand_over_the_first_key_is_not_enough()
    {
        var archive = Archive.Of(await _fixture.ExportAsync("job-alone-1"));
        var position = _fixture.Story.Events.ToList().FindIndex(one => one.Statement.Type == "log_key_changed") + 1;
        archive.Entries.RemoveAll(entry => entry.Name == $"events/{position}.json" || entry.Name == $"proofs/{position}.tlog-proof");
        Assert.Equal(
            "bad_signature", (await _fixture.VerifyAsync(archive.ToBytes(), new BundlePolicy { Logs = [First] })).Faults[0].Kind);

        // And with the second key, the bundle lacks nothing but what its index says.
        Assert.All((await _fixture.VerifyAsync(archive.ToBytes())).Faults, fault => Assert.Equal("wrong_copy", fault.Kind));
    }

    [Fact]
    public async Task The_hand_over_of_another_log_does_not_belong_here()
    {
        var other = await BundleFixture.OfAsync(new LedgerStory().Tell());
        try
        {
            other.HandOvers = _fixture.HandOvers;
            var fault = (await other.VerifyAsync(await other.ExportAsync("job-alone-1"))).Faults[0];
            Assert.Equal("illegal_event", fault.Kind);
            Assert.Contains("NOT_OF_A_BUNDLE", fault.Found, StringComparison.Ordinal);
        }
        finally
        {
            await other.DisposeAsync();
        }
    }
}
