using MeshLedger.Wasm.Tests.Generated;

namespace MeshLedger.Wasm.Tests.Fuzz;

/// <summary>
/// Changes modules: bits, bytes and numbers anywhere; and within sections and bodies with their sizes put right, so that what is
/// changed is looked at and not refused for its frame.
/// </summary>
internal sealed class Mutator(IReadOnlyList<byte[]> seeds, int seed)
{
    private static readonly uint[] Numbers =
        [0, 1, 2, 3, 7, 15, 16, 63, 64, 127, 128, 255, 256, 16_383, 16_384, 65_535, 65_536, 1 << 20, 0x7FFF_FFFF, 0x8000_0000, uint.MaxValue];

    private readonly Random _random = new(seed);

    public byte[] Next()
    {
        // Small seeds mostly: they are quick, and a change of them changes something.
        var bytes = Pick();
        for (var tries = 0; tries < 3 && bytes.Length > 4_000; tries++)
        {
            bytes = Pick();
        }
        var mutant = bytes.ToList();
        for (var i = _random.Next(3) == 0 ? _random.Next(2, 5) : 1; i > 0; i--)
        {
            mutant = _random.Next(10) switch
            {
                0 => Scratch(mutant),
                1 or 2 => Sections(mutant),
                _ => Inside(mutant),
            };
        }
        return [.. mutant];
    }

    /// <summary>A change that knows nothing of modules.</summary>
    public List<byte> Scratch(List<byte> bytes)
    {
        if (bytes.Count == 0)
        {
            return [(byte)_random.Next(256)];
        }
        var at = _random.Next(bytes.Count);
        var count = Math.Min(_random.Next(1, 12), bytes.Count - at);
        switch (_random.Next(8))
        {
            case 0 or 1:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 2:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 3:
                bytes.InsertRange(at, Enumerable.Range(0, count).Select(_ => (byte)_random.Next(256)));
                break;
            case 4:
                bytes.RemoveRange(at, count);
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, count));
                break;
            case 6:
                // In place of the number that may stand there.
                var end = at;
                while (end < bytes.Count - 1 && bytes[end] >= 0x80)
                {
                    end++;
                }
                bytes.RemoveRange(at, end - at + 1);
                bytes.InsertRange(at, Number());
                break;
            default:
                var other = Pick();
                var from = _random.Next(other.Length);
                bytes.InsertRange(at, other.Skip(from).Take(_random.Next(40)));
                break;
        }
        return bytes;
    }

    private byte[] Number()
    {
        var number = new CodeWriter().Unsigned(Numbers[_random.Next(Numbers.Length)]).ToArray();
        // At times longer than it needs to be.
        return _random.Next(4) > 0 ? number : [.. number[..^1], (byte)(number[^1] | 0x80), 0];
    }

    private List<byte> Sections(List<byte> bytes)
    {
        var sections = Split(bytes);
        if (sections.Count == 0)
        {
            return Scratch(bytes);
        }
        var at = _random.Next(sections.Count);
        var other = Split([.. Pick()]);
        switch (_random.Next(5))
        {
            case 0:
                sections.RemoveAt(at);
                break;
            case 1:
                sections.Insert(_random.Next(sections.Count), sections[at]);
                break;
            case 2:
                var to = _random.Next(sections.Count);
                (sections[at], sections[to]) = (sections[to], sections[at]);
                break;
            case 3 when other.Count > 0:
                // Another's section of the same kind, if it has one.
                var replacement = other.Find(section => section.Id == sections[at].Id);
                sections[at] = replacement.Bytes is null ? other[_random.Next(other.Count)] : replacement;
                break;
            default:
                sections.Insert(at, (0, [4, (byte)'n', (byte)'a', (byte)'m', (byte)'e', .. Enumerable.Range(0, 20).Select(_ => (byte)_random.Next(12))]));
                break;
        }
        return Join(bytes, sections);
    }

    private List<byte> Inside(List<byte> bytes)
    {
        var sections = Split(bytes);
        if (sections.Count == 0)
        {
            return Scratch(bytes);
        }
        var at = _random.Next(sections.Count);
        if (sections[at] is (10, var code) && Bodies(code) is { Count: > 0 } bodies)
        {
            var body = _random.Next(bodies.Count);
            bodies[body] = Scratch(bodies[body]);
            sections[at] = (10, [.. new CodeWriter().Unsigned(bodies.Count).ToArray(), .. bodies.SelectMany(Sized)]);
        }
        else
        {
            sections[at] = (sections[at].Id, Scratch(sections[at].Bytes));
        }
        return Join(bytes, sections);
    }

    private static List<byte> Join(List<byte> bytes, List<(byte Id, List<byte> Bytes)> sections) =>
        [.. bytes.Take(8), .. sections.SelectMany(section => (IEnumerable<byte>)[section.Id, .. Sized(section.Bytes)])];

    private static IEnumerable<byte> Sized(List<byte> bytes) => [.. new CodeWriter().Unsigned(bytes.Count).ToArray(), .. bytes];

    /// <summary>Sections as far as they can be made out.</summary>
    private static List<(byte Id, List<byte> Bytes)> Split(List<byte> bytes)
    {
        var sections = new List<(byte, List<byte>)>();
        for (var at = 8; at < bytes.Count;)
        {
            var id = bytes[at++];
            if (!TrySize(bytes, ref at, out var size))
            {
                break;
            }
            sections.Add((id, bytes.GetRange(at, size)));
            at += size;
        }
        return sections;
    }

    private static List<List<byte>> Bodies(List<byte> code)
    {
        var bodies = new List<List<byte>>();
        var at = 0;
        while (at < code.Count && code[at++] >= 0x80)
        {
        }
        while (at < code.Count && TrySize(code, ref at, out var size))
        {
            bodies.Add(code.GetRange(at, size));
            at += size;
        }
        return bodies;
    }

    private static bool TrySize(List<byte> bytes, ref int at, out int size)
    {
        size = 0;
        for (var shift = 0; at < bytes.Count && shift < 28; shift += 7)
        {
            var next = bytes[at++];
            size |= (next & 0x7F) << shift;
            if (next < 0x80)
            {
                return size <= bytes.Count - at;
            }
        }
        return false;
    }

    private byte[] Pick() => seeds[_random.Next(seeds.Count)];
}
