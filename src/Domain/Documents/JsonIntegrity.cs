using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// What JSON's grammar allows and a ledger can not: members named twice in one object, U+0000, and lone surrogates.
/// Looked for at every level, in members that nobody knows as well.
/// </summary>
internal sealed class JsonIntegrity
{
    /// <summary>Up to this many members, comparing each with each costs less than a set of names.</summary>
    private const int FewMembers = 12;

    private readonly DocumentFaults _faults;
    private readonly bool _hasEscapes;
    private readonly List<Step> _path = [];

    private JsonIntegrity(DocumentFaults faults, bool hasEscapes)
    {
        _faults = faults;
        _hasEscapes = hasEscapes;
    }

    public static void Check(JsonElement root, DocumentFaults faults)
    {
        // Raw U+0000 is no JSON and raw surrogates are no UTF-8: either can only come from an escape.
        var hasEscapes = JsonMarshal.GetRawUtf8Value(root).Contains((byte)'\\');
        new JsonIntegrity(faults, hasEscapes).Visit(root);
    }

    private void Visit(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                VisitObject(value);
                break;
            case JsonValueKind.Array:
                VisitArray(value);
                break;
            case JsonValueKind.String when _hasEscapes:
                VisitString(value);
                break;
        }
    }

    private void VisitObject(JsonElement owner)
    {
        var count = owner.GetPropertyCount();
        var names = !_hasEscapes && count <= FewMembers ? null : new HashSet<string>(count, StringComparer.Ordinal);
        var index = 0;
        foreach (var member in owner.EnumerateObject())
        {
            if (_faults.IsFull)
            {
                return;
            }

            var isNew = names?.Add(JsonText.NameOf(member)) ?? !IsAmongFirst(owner, index, member);
            index++;
            var hasBadName = _hasEscapes
                && JsonText.FindBadEscape(JsonMarshal.GetRawUtf8PropertyName(member)) != BadEscape.None;
            if (isNew && !hasBadName && !MayHoldFaults(member.Value))
            {
                continue;
            }

            _path.Add(new Step(member, -1));
            if (!isNew)
            {
                _faults.Add(Pointer(), "a member name only once in its object", member.Value);
            }

            if (hasBadName)
            {
                _faults.Add(Pointer(), "a member name without U+0000 and lone surrogates", member.Value);
            }

            Visit(member.Value);
            _path.RemoveAt(_path.Count - 1);
        }
    }

    private void VisitArray(JsonElement owner)
    {
        var index = 0;
        foreach (var item in owner.EnumerateArray())
        {
            if (_faults.IsFull)
            {
                return;
            }

            if (MayHoldFaults(item))
            {
                _path.Add(new Step(default, index));
                Visit(item);
                _path.RemoveAt(_path.Count - 1);
            }

            index++;
        }
    }

    private void VisitString(JsonElement text)
    {
        var bad = JsonText.FindBadEscape(JsonMarshal.GetRawUtf8Value(text));
        if (bad != BadEscape.None)
        {
            _faults.Add(
                Pointer(),
                bad == BadEscape.Nul ? "a string without U+0000" : "a string without lone surrogates",
                text);
        }
    }

    private bool MayHoldFaults(JsonElement value) =>
        value.ValueKind is JsonValueKind.Object or JsonValueKind.Array
        || (_hasEscapes && value.ValueKind == JsonValueKind.String);

    private static bool IsAmongFirst(JsonElement owner, int count, JsonProperty member)
    {
        var name = JsonMarshal.GetRawUtf8PropertyName(member);
        foreach (var earlier in owner.EnumerateObject())
        {
            if (count-- == 0)
            {
                break;
            }

            if (JsonMarshal.GetRawUtf8PropertyName(earlier).SequenceEqual(name))
            {
                return true;
            }
        }

        return false;
    }

    private string Pointer()
    {
        var pointer = new StringBuilder();
        foreach (var step in _path)
        {
            pointer.Append(step.Index >= 0 ? $"/{step.Index}" : JsonText.Token(JsonText.NameOf(step.Member)));
        }

        return pointer.ToString();
    }

    /// <summary>One step down: to a member, or to the item at an index.</summary>
    private readonly record struct Step(JsonProperty Member, int Index);
}
