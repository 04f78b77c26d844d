-- Every tree head that a log of this ledger signed, beside the log's own files: so two nodes that publish one log never
-- sign two heads of one size, and a log whose files are lost is made again with all of its heads.
CREATE TABLE ml_log_heads (
    origin    text        NOT NULL,
    size      bigint      NOT NULL,
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL,
    CONSTRAINT a_size_has_one_tree_head PRIMARY KEY (origin, size),
    CONSTRAINT a_tree_head_has_entries CHECK (size > 0)
);
