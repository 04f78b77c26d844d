-- The event tables in Marten's layout (9.x, string stream identity, headers, correlation and causation enabled), so
-- that a Marten pointed at this database reads, aggregates and projects these streams. No column, index or constraint
-- stands on them that Marten does not know: a Marten that migrates its schema would drop it.

CREATE TABLE mt_streams (
    id          varchar     NOT NULL,
    type        varchar     NULL,
    version     bigint      NOT NULL,
    timestamp   timestamptz NOT NULL DEFAULT now(),
    created     timestamptz NOT NULL DEFAULT now(),
    tenant_id   varchar     DEFAULT '*DEFAULT*',
    is_archived boolean     DEFAULT false,
    CONSTRAINT pkey_mt_streams_id PRIMARY KEY (id)
);

CREATE SEQUENCE mt_events_sequence;

CREATE TABLE mt_events (
    seq_id         bigint       NOT NULL,
    id             uuid         NOT NULL,
    stream_id      varchar      NULL,
    version        bigint       NOT NULL,
    data           jsonb        NOT NULL,
    bdata          bytea        NULL,
    type           varchar(500) NOT NULL,
    timestamp      timestamptz  NOT NULL DEFAULT now(),
    tenant_id      varchar      DEFAULT '*DEFAULT*',
    mt_dotnet_type varchar      NULL,
    correlation_id varchar      NULL,
    causation_id   varchar      NULL,
    headers        jsonb        NULL,
    is_archived    boolean      DEFAULT false,
    CONSTRAINT pkey_mt_events_seq_id PRIMARY KEY (seq_id),
    CONSTRAINT fkey_mt_events_stream_id FOREIGN KEY (stream_id) REFERENCES mt_streams (id) ON DELETE CASCADE
);

ALTER SEQUENCE mt_events_sequence OWNED BY mt_events.seq_id;

CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON mt_events USING btree (stream_id, version);

CREATE TABLE mt_event_progression (
    name         varchar     NOT NULL,
    last_seq_id  bigint      NULL,
    last_updated timestamptz DEFAULT transaction_timestamp(),
    CONSTRAINT pk_mt_event_progression PRIMARY KEY (name)
);

CREATE FUNCTION mt_mark_event_progression(name varchar, last_encountered bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mt_event_progression (name, last_seq_id, last_updated)
    VALUES (name, last_encountered, transaction_timestamp())
    ON CONFLICT ON CONSTRAINT pk_mt_event_progression
        DO UPDATE SET last_seq_id = last_encountered, last_updated = transaction_timestamp();
END;
$$;
