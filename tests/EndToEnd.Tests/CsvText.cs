using System.Text;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>CSV as RFC 4180 says, read by the letter.</summary>
internal static class CsvText
{
    /// <summary>The rows below the header, each by the header's names.</summary>
    public static List<Dictionary<string, string>> Read(string text)
    {
        var lines = new List<List<string>> { new() };
        var field = new StringBuilder();
        for (var i = 0; i < text.Length;)
        {
            if (text[i] == '"')
            {
                Assert.Equal(0, field.Length);
                for (i++; text[i] != '"' || (i + 1 < text.Length && text[i + 1] == '"'); i++)
                {
                    field.Append(text[i]);
                    i += text[i] == '"' ? 1 : 0;
                }

                i++;
                Assert.Contains(text[i], ",\n");
                continue;
            }

            if (text[i] is ',' or '\n')
            {
                lines[^1].Add(field.ToString());
                field.Clear();
                if (text[i] == '\n')
                {
                    lines.Add([]);
                }
            }
            else
            {
                field.Append(text[i]);
            }

            i++;
        }

        Assert.Empty(lines[^1]);
        return [.. lines.Skip(1).SkipLast(1).Select(line =>
        {
            Assert.Equal(lines[0].Count, line.Count);
            return lines[0].Zip(line).ToDictionary(pair => pair.First, pair => pair.Second);
        })];
    }
}
