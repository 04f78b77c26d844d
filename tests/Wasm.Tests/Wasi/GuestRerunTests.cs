using System.Security.Cryptography;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Wasm.Tests.Wasi;

/// <summary>
/// Where a guest once stood still, for whatever reason, another run of it stands still again: at the first place at which it
/// has used as much fuel. That is what lets one run be compared with another, checkpoint by checkpoint.
/// </summary>
public sealed class GuestRerunTests
{
    private static readonly Tier[] Tiers = [Tier.Compiled, Tier.Interpreter, Tier.Adaptive];

    public static TheoryData<string> Lines =>
        ["sha256 3", "matmul 60", "nbody 2000", "json 200 1", "quicksort 20000", "primes 20000", "levenshtein 300", "files", "random 50"];

    [Theory]
    [MemberData(nameof(Lines))]
    public void A_pause_is_found_again_by_its_fuel_in_any_tier_whatever_it_came_from(string line)
    {
        var parts = line.Split(' ');
        var (module, options) = (Guests.Load(parts[0]), new GuestOptions { Arguments = ["guest", .. parts[1..]] });
        var random = new Random(21);
        foreach (var tier in Tiers)
        {
            var pauses = Pauses(module, options with { Tier = tier }, random);
            foreach (var other in Tiers)
            {
                using var program = GuestProgram.Start(module, options with { Tier = other });
                foreach (var (fuel, snapshot) in pauses)
                {
                    Assert.Equal(GuestState.Paused, program.Run(fuel - 1));
                    Assert.Equal((fuel, snapshot), (program.FuelUsed, Written(program)));
                }
            }
        }
    }

    [Theory]
    [InlineData("primes 2000")]
    [InlineData("json 20 1")]
    [InlineData("files")]
    public void Each_place_to_stand_still_in_turn_is_the_same_in_every_tier_however_close_they_are(string line)
    {
        var parts = line.Split(' ');
        var (module, options) = (Guests.Load(parts[0]), new GuestOptions { Arguments = ["guest", .. parts[1..]] });
        var places = Tiers.Select(tier =>
        {
            using var program = GuestProgram.Start(module, options with { Tier = tier });
            var found = new List<(long, string)>();

            // A mark that has been reached already pauses at the next place, and at no other.
            while (found.Count < 60 && program.Run(found.Count % 2 == 0 ? program.FuelUsed : 0) == GuestState.Paused)
            {
                found.Add((program.FuelUsed, Written(program)));
            }
            return found;
        }).ToList();
        Assert.InRange(places[0].Count, 10, 60);
        Assert.Equal(places[0], places[1]);
        Assert.Equal(places[0], places[2]);
    }

    /// <summary>Pauses at marks and on request, some of them after the guest was written down and gone on with.</summary>
    private static List<(long Fuel, string Snapshot)> Pauses(Module module, GuestOptions options, Random random)
    {
        var pauses = new List<(long, string)>();
        var program = GuestProgram.Start(module, options);
        try
        {
            while (pauses.Count < 40)
            {
                var isAsked = random.Next(3) == 0;
                if (isAsked)
                {
                    program.RequestPause();
                }
                if (program.Run(isAsked ? null : program.FuelUsed + random.NextInt64(1, 100_000)) != GuestState.Paused)
                {
                    break;
                }
                pauses.Add((program.FuelUsed, Written(program)));
                if (random.Next(3) == 0)
                {
                    using var snapshot = new MemoryStream();
                    program.WriteSnapshot(snapshot);
                    program.Dispose();
                    snapshot.Position = 0;
                    program = GuestProgram.Resume(module, options, snapshot);
                }
            }
        }
        finally
        {
            program.Dispose();
        }
        return pauses;
    }

    private static string Written(GuestProgram program)
    {
        using var snapshot = new MemoryStream();
        program.WriteSnapshot(snapshot);
        return Convert.ToHexString(SHA256.HashData(snapshot.ToArray()));
    }
}
