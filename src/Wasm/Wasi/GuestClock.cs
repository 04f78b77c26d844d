namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// Time as the guest sees it: a nanosecond passes with every unit of fuel, and sleeping makes it pass at once. So the
/// same run sees the same times on every machine, and never waits.
/// </summary>
internal sealed class GuestClock(DateTimeOffset epoch)
{
    /// <summary>Sleep that is counted at most, 146 years: so that no sum of times overflows.</summary>
    private const ulong LongestSleep = 1UL << 62;

    private readonly ulong _epoch = (ulong)Math.Max((epoch - DateTimeOffset.UnixEpoch).Ticks, 0) * 100;

    /// <summary>Nanoseconds that the guest has slept in all.</summary>
    public ulong Slept { get; private set; }

    /// <summary>Since 1970.</summary>
    public ulong Real(long fuelUsed) => unchecked(_epoch + (ulong)fuelUsed + Slept);

    /// <summary>Since the guest began.</summary>
    public ulong Monotonic(long fuelUsed) => (ulong)fuelUsed + Slept;

    public void Sleep(ulong nanoseconds) => Slept = Math.Min(Slept + Math.Min(nanoseconds, LongestSleep), LongestSleep);

    public bool Restore(ulong slept)
    {
        Slept = slept;
        return slept <= LongestSleep;
    }
}
