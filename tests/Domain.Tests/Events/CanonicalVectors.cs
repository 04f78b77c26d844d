namespace MeshLedger.Domain.Tests.Events;

/// <summary>Texts that have a canonical form, and texts that have none, for schemas/vectors/events.json.</summary>
internal static class CanonicalVectors
{
    public static IReadOnlyList<string> Inputs { get; } =
    [
        """{ "b": [1, "\u00e9"], "a": null }""",
        "[]",
        " { } ",
        "[true,\r\n\tfalse , null]",
        "[0, -1, 9007199254740991, -9007199254740991]",
        """["\u0001\u001F\b\t\n\f\r\"\\\/\u007f\u2028\u2029"]""",
        """["\ud83d\ude00", "😀", "\u20AC", "\uFB00"]""",
        """{"\ufb00": 1, "\ud83d\ude00": 2, "\u20ac": 3, "\u00f6": 4, "1": 5, "\r": 6, "\u0080": 7}""",
        """{"aa": 1, "a": {"z": [{"y": 0, "x": 0}], "b": ""}, "": 2, "A": 3, "a\u0001": 4}""",
        """{"\u0062": 1, "a": 2}""",
    ];

    public static IReadOnlyList<string> Refused { get; } =
    [
        "", " ", "{", "[1,]", "[1] 2", "{\"a\":1,\"a\":2}", """{"b":{"a":1,"c":2,"\u0061":3}}""", "1.0", "[1e3]", "[-0]",
        "[0.5]", "[9007199254740992]", "[-9007199254740992]", "[123456789012345678901234567890]", "[01]", "[+1]", "NaN",
        """["\u0000"]""", """{"\u0000":1}""", """["\ud800"]""", """["\udc00\ud800"]""", """{"\ud83d":1}""", "['a']",
        "[\"\u0001\"]", """["\x41"]""", "\ufeff[]", "[1 /* one */]", new string('[', 65) + new string(']', 65),
    ];
}
