namespace MeshLedger.Domain.Jobs;

/// <summary>What a job costs, in whole mana.</summary>
public static class Pricing
{
    /// <summary>A price for a submitter of this reputation: <c>price * 100 / (100 + reputation)</c>, rounded down, never
    /// below 1. A reputation below 0 changes nothing.</summary>
    public static long Adjust(long price, long reputation) =>
        Math.Max(1, (long)((Int128)price * 100 / (100 + Int128.Max(0, reputation))));

    /// <summary>What is held for a job: its highest price, adjusted, for each replica.</summary>
    public static long Escrow(JobTerms terms, long reputation) => Adjust(terms.MaxPrice, reputation) * terms.Replicas;
}
