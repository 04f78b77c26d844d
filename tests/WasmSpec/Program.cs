using System.Globalization;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Spec;

// wasm-spec DIR [compiled|interpreter]: every file of a folder of wast2json output, in both tiers unless one is named.
if (args.Length is < 1 or > 2 || !Directory.Exists(args[0]))
{
    Console.Error.WriteLine("usage: wasm-spec DIR [compiled|interpreter], where DIR holds the output of wast2json");
    return 2;
}
Tier[] tiers = args.Length == 1 ? [Tier.Compiled, Tier.Interpreter] : [Enum.Parse<Tier>(args[1], ignoreCase: true)];
var (passed, failed, skipped) = (0, 0, 0);
foreach (var tier in tiers)
{
    foreach (var path in Directory.EnumerateFiles(args[0], "*.json").Order(StringComparer.Ordinal))
    {
        var result = SpecFile.Run(path, tier);
        Console.WriteLine($"{tier.ToString().ToLowerInvariant()} {result}");
        foreach (var failure in result.Failures)
        {
            Console.WriteLine($"  {failure}");
        }
        passed += result.Passed;
        failed += result.Failures.Count;
        skipped += result.Skipped;
    }
}
if (passed + failed + skipped == 0)
{
    Console.Error.WriteLine($"wasm-spec: there is no .json file in {args[0]}; make some with wast2json.");
    return 2;
}
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed} passed, {failed} failed, {skipped} skipped"));
return failed == 0 ? 0 : 1;
