using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Crypto;

/// <summary>
/// An Ed25519 key that signs. It is never written anywhere but to its own file, and has no text form.
/// <para>Its file, mode 0600, is one line of text: <c>meshledger-ed25519-seed</c>, a space, 64 lowercase hexadecimal
/// characters of the seed, a newline. Without a seed of its own a key comes from the system's random source.</para>
/// </summary>
public sealed partial class SigningKey
{
    private const string FileMark = "meshledger-ed25519-seed ";
    private readonly byte[] _secret = GC.AllocateArray<byte>(Ed25519.SecretKeySize, pinned: true);

    private SigningKey(ReadOnlySpan<byte> seed)
    {
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeySize];
        Ed25519.KeyPair(seed, publicKey, _secret);
        Did = new Did(publicKey);
    }

    /// <summary>The public half's name.</summary>
    public Did Did { get; }

    /// <summary>A new key from the system's random source.</summary>
    public static SigningKey Generate() => FromSeed(RandomNumberGenerator.GetBytes(Ed25519.SeedSize));

    /// <summary>The key of a 32-byte seed.</summary>
    /// <exception cref="FormatException">The length is not 32.</exception>
    public static SigningKey FromSeed(ReadOnlySpan<byte> seed) => seed.Length == Ed25519.SeedSize
        ? new SigningKey(seed)
        : throw new FormatException($"Expected a seed of 32 bytes, found {seed.Length}.");

    /// <summary>Reads the key at <paramref name="path"/>, or makes a new one there. Two callers at the same moment get
    /// the same key.</summary>
    /// <exception cref="FormatException">The file is there and holds no key, or others may read it.</exception>
    public static SigningKey LoadOrCreate(string path)
    {
        if (!File.Exists(path))
        {
            Create(path);
        }

        return Load(path);
    }

    /// <summary>Reads the key at <paramref name="path"/>.</summary>
    /// <exception cref="FormatException">The file holds no key, or others may read it.</exception>
    public static SigningKey Load(string path)
    {
        var mode = File.GetUnixFileMode(path);
        if ((mode & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != 0)
        {
            throw new FormatException($"Key file {path} may be read by others; expected mode 0600. Run: chmod 600 {path}");
        }

        var text = File.ReadAllText(path, Encoding.ASCII).TrimEnd('\n');
        return text.StartsWith(FileMark, StringComparison.Ordinal) && Digest.TryParse(text.AsSpan(FileMark.Length), out var seed)
            ? FromSeed(seed.ToArray())
            : throw new FormatException($"File {path} holds no key: expected '{FileMark}' and 64 hexadecimal characters.");
    }

    /// <summary>Makes a new key in a new file of mode 0600.</summary>
    /// <exception cref="IOException">The file is there already, and nothing was changed, or cannot be written.</exception>
    public static SigningKey CreateNew(string path)
    {
        if (File.Exists(path) || !Create(path))
        {
            throw new IOException($"Key file {path} is there already; a key is never overwritten.");
        }

        return Load(path);
    }

    /// <summary>The signature of <paramref name="message"/>: 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        var signature = new byte[Ed25519.SignatureSize];
        Ed25519.Sign(_secret, message, signature);
        return signature;
    }

    private static bool Create(string path)
    {
        // A link, unlike a rename, never replaces what another process put there a moment ago.
        var temporary = $"{path}.{Environment.ProcessId}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}.tmp";
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            var seed = RandomNumberGenerator.GetBytes(Ed25519.SeedSize);
            stream.Write(Encoding.ASCII.GetBytes(FileMark + Convert.ToHexStringLower(seed) + "\n"));
            CryptographicOperations.ZeroMemory(seed);
            stream.Flush(flushToDisk: true);
        }

        var made = link(temporary, path) == 0;
        var reason = Marshal.GetLastPInvokeErrorMessage();
        File.Delete(temporary);
        return made || File.Exists(path) ? made : throw new IOException($"Cannot make key file {path}: {reason}.");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string path);
}
