using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;

namespace MeshLedger.Crypto.Tests;

public sealed class CanonicalJsonTests
{
    private static readonly string[] Texts =
    [
        "", "a", "b", "aa", "A", "\u0001", "\u001f", "\b\t\n\f\r", "\"", "\\", "/", "\u007f", "\u0080", "\u00e9", "\u20ac",
        "\u2028", "\ud7ff", "\ue000", "\ufb00", "\uffff", "\ud800\udc00", "\ud83d\ude00", "\udbff\udfff", "\ufb00x",
        "\ud83d\ude00x", "a\ufb00", "a\ud83d\ude00",
    ];

    private static Arbitrary<int> Seeds { get; } = Gen.Choose(0, int.MaxValue).ToArbitrary();

    [Theory]
    [InlineData("[]", "[]")]
    [InlineData(" { } ", "{}")]
    [InlineData("\t\r\n null ", "null")]
    [InlineData("true", "true")]
    [InlineData("\"a\"", "\"a\"")]
    [InlineData("[0, -1 ,10]", "[0,-1,10]")]
    [InlineData("[9007199254740991,-9007199254740991]", "[9007199254740991,-9007199254740991]")]
    [InlineData("""{"b":1,"a":2}""", """{"a":2,"b":1}""")]
    [InlineData("""{"a":{"d":1,"c":[{"f":0,"e":0}]},"":0}""", """{"":0,"a":{"c":[{"e":0,"f":0}],"d":1}}""")]
    [InlineData("""["\u0061\/\u000a\u000A\u0007\u001F\u0022\u005c"]""", "[\"a/\\n\\n\\u0007\\u001f\\\"\\\\\"]")]
    [InlineData("""["\ud83d\ude00\u20ac\u007f\u2028"]""", "[\"\ud83d\ude00\u20ac\u007f\u2028\"]")]
    [InlineData("""{"\u0062":1,"a":2}""", """{"a":2,"b":1}""")]
    public void What_has_a_canonical_form_gets_it(string json, string expected) => Assert.Equal(expected, Canonical(json));

    /// <summary>The example of RFC 8785, section 3.2.3, with its values.</summary>
    [Fact]
    public void Members_are_sorted_by_utf_16_code_units() => Assert.Equal(
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\u007f\",\"\u00f6\":\"Latin Small Letter O With Diaeresis\","
        + "\"\u20ac\":\"Euro Sign\",\"\ud83d\ude00\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
        Canonical("""
            {
              "\u20ac": "Euro Sign",
              "\r": "Carriage Return",
              "\ufb33": "Hebrew Letter Dalet With Dagesh",
              "1": "One",
              "\ud83d\ude00": "Emoji: Grinning Face",
              "\u0080": "Control\u007f",
              "\u00f6": "Latin Small Letter O With Diaeresis"
            }
            """));

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("[1.0]")]
    [InlineData("[1.5]")]
    [InlineData("[1e2]")]
    [InlineData("[1E2]")]
    [InlineData("[1e-2]")]
    [InlineData("[-0]")]
    [InlineData("[-0.0]")]
    [InlineData("[0e0]")]
    [InlineData("[01]")]
    [InlineData("[+1]")]
    [InlineData("[9007199254740992]")]
    [InlineData("[-9007199254740992]")]
    [InlineData("[9223372036854775808]")]
    [InlineData("[1000000000000000000000000000000]")]
    [InlineData("[NaN]")]
    [InlineData("[Infinity]")]
    [InlineData("{\"a\":1,\"a\":1}")]
    [InlineData("{\"a\":1,\"b\":2,\"\\u0061\":1}")]
    [InlineData("{\"b\":1,\"a\":2,\"c\":3,\"b\":1}")]
    [InlineData("[[{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}]]")]
    [InlineData("[\"\\ud800\"]")]
    [InlineData("[\"\\udc00\"]")]
    [InlineData("[\"\\udc00\\ud800\"]")]
    [InlineData("[\"\\ud800x\"]")]
    [InlineData("[\"\\ud800\\ud800\"]")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("[\"\\u0000\"]")]
    [InlineData("{\"\\u0000\":1}")]
    [InlineData("{\"b\":1,\"a\\u0000\":1}")]
    [InlineData("[\"\u0000\"]")]
    [InlineData("[\"\n\"]")]
    [InlineData("[1] 2")]
    [InlineData("[1]x")]
    [InlineData("{}{}")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{\"a\"}")]
    [InlineData("{a:1}")]
    [InlineData("['a']")]
    [InlineData("[\"\\x41\"]")]
    [InlineData("[\"\\u12\"]")]
    [InlineData("[1/*a*/]")]
    [InlineData("[1]//a")]
    [InlineData("[")]
    [InlineData("\"a")]
    [InlineData("tru")]
    [InlineData("True")]
    [InlineData("\ufeff[]")]
    public void What_has_none_is_refused(string json) => Assert.Throws<FormatException>(() => Canonical(json));

    [Theory]
    [InlineData(new byte[] { (byte)'"', 0xFF, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xC0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xED, 0xA0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xF4, 0x90, 0x80, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xE2, 0x82, (byte)'"' })]
    [InlineData(new byte[] { (byte)'[', (byte)']', 0x80 })]
    [InlineData(new byte[] { 0xFF, 0xFE, (byte)'[', 0, (byte)']', 0 })]
    public void What_is_not_utf_8_is_refused(byte[] json) =>
        Assert.Throws<FormatException>(() => CanonicalJson.Canonicalize(json));

    [Fact]
    public void Sixty_four_levels_are_the_most()
    {
        Assert.Equal(128, Canonical(new string('[', 64) + new string(']', 64)).Length);
        Assert.Throws<FormatException>(() => Canonical(new string('[', 65) + new string(']', 65)));
        var objects = string.Concat(Enumerable.Repeat("{\"a\":", 64));
        Assert.Throws<FormatException>(() => Canonical(objects + "{}" + new string('}', 64)));
    }

    [Fact]
    public void A_refusal_leaves_nothing_behind()
    {
        foreach (var broken in new[] { "{\"b\":{\"z\":1,\"a\":2.5", "{\"z\":1,\"a\":{\"z\":1,\"z\":2}}", "[\"" })
        {
            Assert.Throws<FormatException>(() => Canonical(broken));
            Assert.Equal("""{"a":2,"b":1}""", Canonical("""{"b":1,"a":2}"""));
        }
    }

    [Fact]
    public void Large_texts_are_put_in_order_as_small_ones_are()
    {
        var names = Enumerable.Range(0, 20_000).Select(i => $"\"{(i * 7919) % 20_000:d5}\":\"{new string('x', i % 90)}\\n\"");
        var canonical = Canonical($"{{{string.Join(" , ", names)}}}");
        Assert.Equal(canonical, Canonical(canonical));
        Assert.StartsWith("{\"00000\":\"", canonical, StringComparison.Ordinal);
    }

    [Fact]
    public void Order_white_space_and_escapes_never_change_the_result_that_a_slow_writer_agrees_with() =>
        Prop.ForAll(Seeds, seed =>
        {
            var random = new Random(seed);
            var tree = Tree(random, depth: 5);
            var expected = new StringBuilder();
            Slow(tree, expected);
            for (var spelling = 0; spelling < 3; spelling++)
            {
                var text = new StringBuilder();
                Scramble(tree, random, text);
                Assert.Equal(expected.ToString(), Canonical(text.ToString()));
            }

            Assert.Equal(expected.ToString(), Canonical(expected.ToString()));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1_000));

    [Fact]
    public void No_bytes_lead_to_anything_but_a_canonical_form_or_a_refusal() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var text = new StringBuilder();
        Scramble(Tree(random, depth: 3), random, text);
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        for (var change = random.Next(1, 4); change > 0; change--)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        try
        {
            var canonical = CanonicalJson.Canonicalize(bytes);
            Assert.Equal(canonical, CanonicalJson.Canonicalize(canonical));
        }
        catch (FormatException)
        {
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000));

    [Fact]
    public void A_string_is_written_alone_as_it_is_in_a_text()
    {
        foreach (var text in Texts)
        {
            var output = new ArrayBufferWriter<byte>();
            CanonicalJson.WriteString(text, output);
            Assert.Equal(Canonical($"\"{Escaped(text, new Random(1), always: true)}\""), Encoding.UTF8.GetString(output.WrittenSpan));
        }

        Assert.Throws<FormatException>(() => CanonicalJson.WriteString("\ud800", new ArrayBufferWriter<byte>()));
        Assert.Throws<FormatException>(() => CanonicalJson.WriteString("\0", new ArrayBufferWriter<byte>()));
    }

    private static string Canonical(string json)
    {
        var utf8 = Encoding.UTF8.GetBytes(json);
        var canonical = CanonicalJson.Canonicalize(utf8);
        var output = new ArrayBufferWriter<byte>();
        CanonicalJson.Canonicalize(utf8, output);
        Assert.Equal(canonical, output.WrittenSpan.ToArray());
        return Encoding.UTF8.GetString(canonical);
    }

    private static JsonNode? Tree(Random random, int depth)
    {
        switch (random.Next(depth > 0 ? 8 : 5))
        {
            case 0:
                return null;
            case 1:
                return JsonValue.Create(random.Next(2) == 0);
            case 2:
                return JsonValue.Create(random.NextInt64(-CanonicalJson.MaxInteger, CanonicalJson.MaxInteger + 1));
            case 3 or 4:
                return JsonValue.Create(string.Concat(random.GetItems(Texts, random.Next(4))));
            case 5:
                return new JsonArray([.. Enumerable.Range(0, random.Next(5)).Select(_ => Tree(random, depth - 1))]);
            default:
                var owner = new JsonObject();
                for (var count = random.Next(8); count > 0; count--)
                {
                    owner[string.Concat(random.GetItems(Texts, random.Next(3)))] = Tree(random, depth - 1);
                }

                return owner;
        }
    }

    /// <summary>The rules of RFC 8785 as they stand there, one after another.</summary>
    private static void Slow(JsonNode? node, StringBuilder output)
    {
        switch (node)
        {
            case JsonObject owner:
                output.Append('{');
                foreach (var (index, (name, value)) in owner.OrderBy(member => member.Key, StringComparer.Ordinal).Index())
                {
                    Slow(JsonValue.Create(name), output.Append(index == 0 ? "" : ","));
                    Slow(value, output.Append(':'));
                }

                output.Append('}');
                break;
            case JsonArray array:
                output.Append('[');
                foreach (var (index, item) in array.Index())
                {
                    Slow(item, output.Append(index == 0 ? "" : ","));
                }

                output.Append(']');
                break;
            case JsonValue value when value.TryGetValue(out string? text):
                output.Append('"');
                foreach (var letter in text)
                {
                    output.Append(letter switch
                    {
                        '"' => "\\\"",
                        '\\' => "\\\\",
                        '\b' => "\\b",
                        '\t' => "\\t",
                        '\n' => "\\n",
                        '\f' => "\\f",
                        '\r' => "\\r",
                        < ' ' => $"\\u{(int)letter:x4}",
                        _ => letter.ToString(),
                    });
                }

                output.Append('"');
                break;
            default:
                output.Append(node?.ToJsonString() ?? "null");
                break;
        }
    }

    private static void Scramble(JsonNode? node, Random random, StringBuilder output)
    {
        Space();
        switch (node)
        {
            case JsonObject owner:
                var members = owner.ToArray();
                random.Shuffle(members);
                output.Append('{');
                foreach (var (index, (name, value)) in members.Index())
                {
                    Scramble(JsonValue.Create(name), random, output.Append(index == 0 ? "" : ","));
                    Scramble(value, random, output.Append(':'));
                }

                Space();
                output.Append('}');
                break;
            case JsonArray array:
                output.Append('[');
                foreach (var (index, item) in array.Index())
                {
                    Scramble(item, random, output.Append(index == 0 ? "" : ","));
                }

                Space();
                output.Append(']');
                break;
            case JsonValue value when value.TryGetValue(out string? text):
                output.Append('"').Append(Escaped(text, random, always: false)).Append('"');
                break;
            default:
                output.Append(node?.ToJsonString() ?? "null");
                break;
        }

        Space();
        void Space() => output.Append(random.GetItems([" ", "\t", "\n", "\r"], random.Next(3)).Aggregate("", string.Concat));
    }

    private static string Escaped(string text, Random random, bool always)
    {
        var escaped = new StringBuilder();
        var together = false;
        foreach (var letter in text)
        {
            // Both halves of a pair are escaped, or neither.
            together = char.IsLowSurrogate(letter) ? together : always || random.Next(2) == 0 || letter is < ' ' or '"' or '\\';
            escaped.Append(together ? $"\\u{(int)letter:X4}" : letter.ToString());
        }

        return escaped.ToString();
    }
}
