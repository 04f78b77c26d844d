namespace MeshLedger.Domain.Events;

/// <summary>
/// The body of an event: what happened, without who, when and where, which stand in the statement. One family a
/// subject: <c>JobEvent</c>, <c>AccountEvent</c>, <c>WorkerEvent</c>, <c>NodeEvent</c>. <see cref="EventCodec"/> holds
/// the list of all kinds and their wire names; a kind that is not in it can be neither written nor read.
/// </summary>
public abstract record LedgerEvent
{
    private protected LedgerEvent()
    {
    }
}
