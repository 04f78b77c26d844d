using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using MeshLedger.Wasm.Tests.Differential;

namespace MeshLedger.Wasm.Tests.Fuzz;

/// <summary>
/// Snapshots with changed bytes, words and ends, whose hash is right all the same: refused, or another state of the guest, which
/// ends within its limits and in the same way in both tiers.
/// </summary>
public sealed class SnapshotMutationTests
{
    private const int HashBytes = 32;

    /// <summary>Magic, versions and the module's hash.</summary>
    private const int HeaderBytes = 48;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_forged_snapshot_is_refused_or_runs_within_its_limits(int batch)
    {
        var random = new Random(batch);
        var (refused, ran) = (0, 0);
        for (var seed = batch * 15; seed < (batch + 1) * 15; seed++)
        {
            var module = Module.Decode(RandomModule.Make(seed));
            foreach (var export in GeneratedRun.Exports(module))
            {
                var run = new GeneratedRun(module, export, seed);
                var (_, fuel) = run.Whole(Tier.Interpreter);
                if (run.SnapshotAt(random.NextInt64(fuel), Tier.Interpreter) is not { } snapshot)
                {
                    continue;
                }
                for (var i = 0; i < 60; i++)
                {
                    var forged = Forge(snapshot, random);
                    var expected = run.Resumed(forged, Tier.Interpreter);
                    Assert.Equal($"{seed} {export} {i}: {expected}", $"{seed} {export} {i}: {run.Resumed(forged, Tier.Compiled)}");
                    (refused, ran) = expected is null ? (refused + 1, ran) : (refused, ran + 1);
                }
            }
        }
        Assert.True(refused > 100 && ran > 100, string.Create(CultureInfo.InvariantCulture, $"{refused} refused, {ran} ran"));
    }

    private static byte[] Forge(byte[] snapshot, Random random)
    {
        var bytes = snapshot.ToArray();
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            // Frames and globals are near the end, sizes of memory and tables near the start; between them is memory.
            var end = bytes.Length - HashBytes;
            var at = random.Next(3) switch
            {
                0 => HeaderBytes + random.Next(Math.Min(60, end - HeaderBytes)),
                1 => end - 1 - random.Next(Math.Min(1_500, end - HeaderBytes)),
                _ => random.Next(end),
            };
            switch (random.Next(6))
            {
                case 0 or 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2 when at + 4 <= end:
                    BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), random.Next(4) == 0 ? -1 : random.Next(40));
                    break;
                case 3:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 4:
                    var count = Math.Min(random.Next(1, 60), end - at);
                    bytes = random.Next(2) == 0 ? [.. bytes[..at], .. bytes[(at + count)..]] : [.. bytes[..(at + count)], .. bytes[at..]];
                    break;
                default:
                    bytes.AsSpan(at, Math.Min(8, end - at)).CopyTo(bytes.AsSpan(random.Next(HeaderBytes, end - 8)));
                    break;
            }
        }
        SHA256.HashData(bytes.AsSpan(0, bytes.Length - HashBytes)).CopyTo(bytes.AsSpan(bytes.Length - HashBytes));
        return bytes;
    }
}
