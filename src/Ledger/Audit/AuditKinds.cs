namespace MeshLedger.Ledger.Audit;

/// <summary>Every kind of fault, with what it means. The words are stable: scripts and scanners rely on them.</summary>
public static class AuditKinds
{
    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["not_an_event"] = "A row of mt_events has no form that a signed event can have.",
        ["wrong_digest"] = "The columns of a row give another statement than the one that was signed.",
        ["bad_signature"] = "A statement is not signed by its author.",
        ["wrong_proof"] = "An event says of its place in the signed batch what other events of the batch contradict.",
        ["wrong_causation"] = "The column causation_id is not the cause that was signed.",
        ["wrong_correlation"] = "The column correlation_id is not what the job's document says.",
        ["unknown_event"] = "The type or shape of an event is none that the contract knows.",
        ["wrong_document"] = "What a submission says of its document is not what the document says.",
        ["wrong_position"] = "The positions of the log are not 1, 2, 3, ...",
        ["wrong_version"] = "The versions of a stream are not 1, 2, 3, ...",
        ["illegal_event"] = "An event may not stand where it stands, or its author may not say it.",
        ["unsettled"] = "What an event must lead to never came.",
        ["mana_not_conserved"] = "Mana was made or lost.",
        ["wrong_reputation"] = "A reputation or streak that a node names does not follow from the settlements.",
        ["wrong_stream"] = "A row of mt_streams does not agree with the events of its stream.",
        ["wrong_event_id"] = "A row of ml_event_ids does not agree with the events.",
        ["wrong_sequence"] = "mt_events_sequence does not stand at the log's last position.",
        ["wrong_progression"] = "mt_event_progression says that more was read than there is.",
        ["wrong_layout"] = "A table, or a column that nobody signs, is not as MeshLedger makes it.",
        ["wrong_head"] = "A tree head in the database, or in the log's files, is not one that the log signed and kept in order.",
        ["inconsistent_head"] = "The ledger is not the one over which a tree head was signed: history was changed or cut.",
        ["wrong_entry"] = "An event is not the one that the published log holds at its position.",
        ["wrong_projection"] = "A row of a read model is not what the events lead to.",
    };
}
