using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>What holds for every page that a report is: well-formed, without scripts and without anything from elsewhere,
/// and telling in words what its charts show.</summary>
internal static class HtmlPages
{
    public static void Check(string page, bool charts)
    {
        using var reader = XmlReader.Create(
            new StringReader(page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        var html = XDocument.Load(reader);
        Assert.DoesNotContain(html.Descendants(), element => element.Name.LocalName is "script" or "link" or "img" or "iframe"
            or "object" or "embed" or "base" or "form" or "use" or "image" or "foreignObject" or "a");
        Assert.DoesNotContain(html.Descendants().Attributes(), attribute =>
            attribute.Name.LocalName is "href" or "src" or "style" or "srcset"
            || attribute.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain("http://", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("https://", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("url(", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("@import", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(page, letter => letter is (< ' ' and not '\n') or '\u202E');

        // The policy lets this style in, and nothing else.
        var policy = html.Descendants("meta").Single(meta => (string?)meta.Attribute("http-equiv") == "Content-Security-Policy")
            .Attribute("content")!.Value;
        var style = html.Descendants("style").Single().Value;
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        Assert.Equal($"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'", policy);

        var drawn = html.Descendants("svg").ToList();
        Assert.Equal(charts, drawn.Count > 0);
        foreach (var svg in drawn)
        {
            var named = svg.Attribute("aria-labelledby")!.Value.Split(' ');
            Assert.Equal("img", svg.Attribute("role")!.Value);
            Assert.Equal<string[]>(named, [.. svg.Elements().Take(2).Select(element => element.Attribute("id")!.Value)]);
            Assert.Equal(["title", "desc"], svg.Elements().Take(2).Select(element => element.Name.LocalName));
            Assert.All(svg.Descendants("rect"), bar => Assert.True((double)bar.Attribute("width")! >= 0));
        }

        if (charts)
        {
            Assert.Contains(html.Descendants("table").Single().Descendants("th"), th => (string?)th.Attribute("scope") == "col");
        }
    }
}
