using System.Text;

namespace MeshLedger.Crypto;

/// <summary>Base64 of RFC 4648 with padding, one spelling for each value: no white space, no bits that mean nothing.
/// </summary>
public static class StrictBase64
{
    /// <summary>Reads exactly <paramref name="length"/> bytes.</summary>
    public static bool TryRead(ReadOnlySpan<char> text, int length, out byte[] bytes) =>
        TryRead(text, out bytes) && bytes.Length == length;

    public static bool TryRead(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64Chars(text, bytes, out var written))
        {
            return false;
        }

        Array.Resize(ref bytes, written);
        return text.SequenceEqual(Convert.ToBase64String(bytes));
    }

    /// <summary>UTF-8 that has one meaning: no broken sequence.</summary>
    internal static bool TryUtf8(ReadOnlySpan<byte> bytes, out string text)
    {
        try
        {
            text = Strict.GetString(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            text = "";
            return false;
        }
    }

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
