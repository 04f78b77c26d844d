using MeshLedger.Crypto;

namespace MeshLedger.Tools.Hosting;

/// <summary>The files of a log's key: <c>log.key</c>, and, while it is handed over, <c>log-next.key</c>. The event that hands
/// over comes between the making of the next key and its taking the other's place, so that a crash at any moment leaves the
/// key that the ledger names here.</summary>
internal static class LogKeyFiles
{
    public const string Current = "log";
    public const string Next = "log-next";

    /// <summary>The private half of a key, if it is here.</summary>
    public static SigningKey? Find(DataDirectory data, Did key)
    {
        // Twice: it may have moved from one place to the other meanwhile.
        foreach (var name in (string[])[Current, Next, Current])
        {
            try
            {
                if (File.Exists(data.KeyFile(name)) && SigningKey.Load(data.KeyFile(name)) is var found && found.Did == key)
                {
                    return found;
                }
            }
            catch (FileNotFoundException)
            {
                // It moved.
            }
        }

        return null;
    }

    /// <summary>Puts the next key in the place of the current one, if it is the one that the ledger names.</summary>
    public static bool Finish(DataDirectory data, NoteKey named)
    {
        var (current, next) = (data.KeyFile(Current), data.KeyFile(Next));
        if (!File.Exists(next) || SigningKey.Load(next).Did != named.Key)
        {
            return false;
        }

        if (File.Exists(current))
        {
            var retired = new NoteKey(named.Name, NoteKeyType.Signature, SigningKey.Load(current).Did);
            File.Move(current, Path.Combine(data.Keys, $"log-{retired.Id:x8}.retired"), overwrite: true);
        }

        File.Move(next, current);
        return true;
    }
}
