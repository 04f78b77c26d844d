using System.Globalization;

namespace MeshLedger.Benchmarks;

/// <summary>One line of a benchmark's outcome, as scripts read it.</summary>
internal static class Figure
{
    public static void Print(string name, double value, string unit, string? peer = null, double? peerValue = null)
    {
        var line = $"RESULT name={name} value={Number(value)} unit={unit}";
        if (peer is not null && peerValue is { } other)
        {
            line += $" peer={peer} peer_value={Number(other)} ratio={Number(value / other)}";
        }

        Console.WriteLine(line);
    }

    private static string Number(double value) =>
        value.ToString(value < 100 ? "0.###" : "0", CultureInfo.InvariantCulture);
}
