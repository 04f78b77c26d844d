using System.Text;
using MeshLedger.Domain.Documents;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class JobDocumentFuzzTests
{
    private static readonly byte[][] Splices = new[]
        {
            "\\ud800", "\\u0000", "\\\"", "\"", "{", "}", "[", "]", ",", ":", "null", "1e999", "-0", "\uFEFF", "\0",
            "\"version\":\"1.0\",", "[[[[", "{\"a\":{\"a\":", "\u2028", "\\", "\\u", "1.0", "[\"\"]",
        }
        .Select(Encoding.UTF8.GetBytes)
        .ToArray();

    [Fact]
    public void Ten_thousand_mutants_of_the_samples_never_throw()
    {
        var random = new Random(20261121);
        var seeds = JobDocumentSamples.Files.Select(file => file.Bytes)
            .Append(Encoding.UTF8.GetBytes(JobDocumentSamples.Full))
            .ToArray();
        var accepted = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Mutate(seeds[random.Next(seeds.Length)], random);
            var reading = JobDocumentReader.Read(mutant);
            Assert.Equal(reading.IsValid, reading.Faults.Count == 0);
            Assert.All(reading.Faults, fault => Assert.True(fault.Found.Length <= 120, fault.ToString()));
            if (reading.IsValid)
            {
                accepted++;
                Assert.Equal(mutant, reading.Document!.Bytes.ToArray());
            }
        }

        Assert.InRange(accepted, 500, 9_500);
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        var random = new Random(7);
        for (var i = 0; i < 5_000; i++)
        {
            var bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            Assert.False(JobDocumentReader.Read(bytes).IsValid);
        }
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        var bytes = seed.ToList();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at - 1, random.Next(1, 20)));
                    break;
                case 3:
                    bytes.InsertRange(at, Splices[random.Next(Splices.Length)]);
                    break;
                default:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(1, 60))));
                    break;
            }
        }

        return [.. bytes];
    }
}
