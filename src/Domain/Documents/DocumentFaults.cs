using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Gathers the faults of one parsed document and puts them in the order of the document. A missing member stands where
/// the object begins that should have it.
/// </summary>
internal sealed class DocumentFaults(JsonElement root)
{
    /// <summary>The most faults that are listed. A hostile document can have one in every other byte.</summary>
    public const int Limit = 100;

    private const int MaxFoundLength = 80;
    private const string Nothing = "nothing";

    private readonly List<(int Offset, DocumentFault Fault)> _faults = [];

    public bool Any => _faults.Count > 0;

    /// <summary>True once there is one more than are listed.</summary>
    public bool IsFull => _faults.Count > Limit;

    /// <summary>True if this very value has a fault already: what is said of it after that would only repeat it.</summary>
    public bool Has(string pointer) => _faults.Exists(entry => entry.Fault.Pointer == pointer);

    public void Add(string pointer, string expected, JsonElement found) =>
        Add(OffsetOf(found), pointer, expected, Show(JsonMarshal.GetRawUtf8Value(found)));

    public void AddMissing(string pointer, string expected, JsonElement owner) =>
        Add(OffsetOf(owner), pointer, expected, Nothing);

    /// <summary>Adds a fault of which only the pointer is known, one of those that this document's reading made.</summary>
    public void AddAt(string pointer, string expected)
    {
        var place = root;
        var at = 0;
        while (at < pointer.Length)
        {
            var end = pointer.IndexOf('/', at + 1);
            end = end < 0 ? pointer.Length : end;
            if (!TryStep(place, pointer[at..end], out var next))
            {
                AddMissing(pointer, expected, place);
                return;
            }

            place = next;
            at = end;
        }

        Add(pointer, expected, place);
    }

    public IReadOnlyList<DocumentFault> InOrder()
    {
        var faults = _faults.OrderBy(entry => entry.Offset).Select(entry => entry.Fault).Take(Limit).ToList();
        if (IsFull)
        {
            faults.Add(new DocumentFault("", $"at most {Limit} faults", "more than are listed"));
        }

        return faults;
    }

    /// <summary>JSON text on one line, at most 80 characters.</summary>
    public static string Show(ReadOnlySpan<byte> raw)
    {
        // Four bytes a character is the most that UTF-8 takes; a character that this cut splits lies beyond the limit.
        var text = Encoding.UTF8.GetString(raw[..Math.Min(raw.Length, 4 * (MaxFoundLength + 1))]);
        var line = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            var shown = char.IsControl(character) ? ' ' : character;
            if (shown != ' ' || (line.Length > 0 && line[^1] != ' '))
            {
                line.Append(shown);
            }
        }

        return JsonText.Cut(line.ToString(), MaxFoundLength);
    }

    private void Add(int offset, string pointer, string expected, string found)
    {
        if (!IsFull)
        {
            _faults.Add((offset, new DocumentFault(pointer, expected, found)));
        }
    }

    private int OffsetOf(JsonElement element) =>
        JsonMarshal.GetRawUtf8Value(root).Overlaps(JsonMarshal.GetRawUtf8Value(element), out var offset) ? offset : 0;

    private static bool TryStep(JsonElement owner, string token, out JsonElement value)
    {
        value = default;
        if (owner.ValueKind == JsonValueKind.Array)
        {
            value = owner[int.Parse(token.AsSpan(1), provider: null)];
            return true;
        }

        if (owner.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in owner.EnumerateObject())
            {
                if (JsonText.Token(JsonText.NameOf(member)) == token)
                {
                    value = member.Value;
                    return true;
                }
            }
        }

        return false;
    }
}
