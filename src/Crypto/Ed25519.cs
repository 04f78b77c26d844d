using System.Reflection;
using System.Runtime.InteropServices;

namespace MeshLedger.Crypto;

/// <summary>Ed25519 (RFC 8032) by libsodium. Signatures are 64 bytes, public keys 32, secret keys 64 (seed and public
/// key). Verification is strict as libsodium has it: no small-order keys, no signature that could be respelled.</summary>
public static partial class Ed25519
{
    public const int PublicKeySize = 32;
    public const int SeedSize = 32;
    public const int SignatureSize = 64;
    internal const int SecretKeySize = 64;

    private const string Library = "libsodium.so.23";

    static Ed25519()
    {
        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), Resolve);
        if (sodium_init() < 0)
        {
            throw new InvalidOperationException("libsodium did not start.");
        }
    }

    /// <summary>True if <paramref name="signature"/> is the signature of <paramref name="message"/> by
    /// <paramref name="signer"/>. Never throws for any bytes.</summary>
    public static bool Verify(Did signer, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SignatureSize || signer.IsDefault)
        {
            return false;
        }

        Span<byte> key = stackalloc byte[PublicKeySize];
        signer.CopyKeyTo(key);
        return crypto_sign_ed25519_verify_detached(signature, message, (ulong)message.Length, key) == 0;
    }

    internal static void KeyPair(ReadOnlySpan<byte> seed, Span<byte> publicKey, Span<byte> secretKey) =>
        _ = crypto_sign_ed25519_seed_keypair(publicKey, secretKey, seed);

    internal static void Sign(ReadOnlySpan<byte> secretKey, ReadOnlySpan<byte> message, Span<byte> signature) =>
        _ = crypto_sign_ed25519_detached(signature, 0, message, (ulong)message.Length, secretKey);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
        {
            return 0;
        }

        foreach (var candidate in (ReadOnlySpan<string>)["libsodium.so.23", "libsodium.so.26", "libsodium.so"])
        {
            if (NativeLibrary.TryLoad(candidate, out var handle))
            {
                return handle;
            }
        }

        throw new DllNotFoundException(
            "libsodium is missing: signatures need it. Install it with: apt-get install libsodium23");
    }

    [LibraryImport(Library)]
    private static partial int sodium_init();

    [LibraryImport(Library)]
    private static partial int crypto_sign_ed25519_seed_keypair(
        Span<byte> publicKey, Span<byte> secretKey, ReadOnlySpan<byte> seed);

    [LibraryImport(Library)]
    private static partial int crypto_sign_ed25519_detached(
        Span<byte> signature, nint signatureLength, ReadOnlySpan<byte> message, ulong length, ReadOnlySpan<byte> secretKey);

    [LibraryImport(Library)]
    private static partial int crypto_sign_ed25519_verify_detached(
        ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message, ulong length, ReadOnlySpan<byte> publicKey);
}
