using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Audit;

namespace MeshLedger.Ledger.Tests;

public sealed class AuditMemoryTests
{
    private const string Example =
        """
        {"audited":"2026-11-21T01:02:03.123456Z","founder":"did:key:z6MkmtWtY63GQVBrpMyRJWEzsnxfsGkemu6CtMDwGTv4RYj2","root":"98f4d6e6abd3f05bf7f5d62f3139a45020e64eba8e1e6327d0177765919897fc","size":314}

        """;

    [Fact]
    public void What_is_written_is_read_again()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("ml-memory-").FullName, "last");
        var memory = new AuditMemory(
            new DateTimeOffset(2026, 11, 21, 1, 2, 3, TimeSpan.Zero).AddMicroseconds(123_456),
            Did.Parse("did:key:z6MkmtWtY63GQVBrpMyRJWEzsnxfsGkemu6CtMDwGTv4RYj2"), 314,
            Digest.Parse("98f4d6e6abd3f05bf7f5d62f3139a45020e64eba8e1e6327d0177765919897fc"));

        memory.Write(file);
        memory.Write(file);

        Assert.Equal(Example.ReplaceLineEndings("\n"), File.ReadAllText(file));
        Assert.True(AuditMemory.TryParse(File.ReadAllBytes(file), out var read));
        Assert.Equal(memory, read);
        Assert.Equal([file], Directory.EnumerateFiles(Path.GetDirectoryName(file)!));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("\"audited\"")]
    [InlineData("{\"audited\":1,\"founder\":2,\"root\":3,\"size\":4}")]
    public void What_is_none_is_refused(string text)
    {
        Assert.False(AuditMemory.TryParse(Encoding.UTF8.GetBytes(text), out _));
        foreach (var (part, other) in new[]
        {
            ("314", "0"), ("314", "-1"), ("314", "1e99"), ("314", "\"314\""), ("98f4", "98F4"), ("z6Mk", "z6Mm"), ("01:02", "01-02"),
            ("}", ""), ("\"size\"", "\"sizes\""),
        })
        {
            Assert.False(AuditMemory.TryParse(
                Encoding.UTF8.GetBytes(Example.Replace(part, other, StringComparison.Ordinal)), out _), $"{part} -> {other}");
        }

        Assert.False(AuditMemory.TryParse(Encoding.UTF8.GetBytes(Example + new string(' ', AuditMemory.MaxBytes)), out _));
        Assert.False(AuditMemory.TryParse([0xff, 0xfe, 0x00], out _));
    }
}
