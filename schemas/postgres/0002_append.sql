-- Appending: the one way events get into the log.

-- Every event's id, once: what makes an append that is repeated after a lost answer append nothing.
CREATE TABLE ml_event_ids (
    id       uuid   NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT an_event_id_is_appended_once PRIMARY KEY (id)
);

-- Appends events in the given order if every stream stands at the version that the caller assumed and no id was
-- appended before; otherwise appends nothing and says what is so. One transaction-level lock makes positions gapless
-- and commit order log order, on any number of nodes.
--
-- p_streams, p_kinds, p_versions, p_next: each stream once, its kind, the version it is assumed to stand at (0: is new),
-- and the one it stands at afterwards.
-- e_*: the events, e_version the event's version in its stream.
--
-- Returns one row with outcome 'appended' and the first position; or rows 'version' (stream, its true version) and
-- 'duplicate' (event id in detail, its position), one for each thing that is not as assumed.
CREATE FUNCTION ml_append(
    p_streams text[], p_kinds text[], p_versions bigint[], p_next bigint[], p_time timestamptz,
    e_stream text[], e_version bigint[], e_id uuid[], e_type text[], e_data text[], e_headers text[],
    e_correlation text[], e_causation text[], e_dotnet text[])
RETURNS TABLE (outcome text, detail text, number bigint)
LANGUAGE plpgsql
-- The function's plans are kept by each connection, and a fresh database has no statistics: left alone, the planner
-- settles on reading whole tables, which are empty then and are not for long.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    v_head  bigint;
    v_count int := cardinality(e_id);
BEGIN
    PERFORM pg_advisory_xact_lock(7310579631243879525);

    RETURN QUERY
        SELECT 'version', s.id, coalesce(m.version, 0)
        FROM unnest(p_streams, p_versions) AS s (id, version)
        LEFT JOIN mt_streams m ON m.id = s.id
        WHERE coalesce(m.version, 0) <> s.version
        UNION ALL
        SELECT 'duplicate', i.id::text, i.position FROM ml_event_ids i WHERE i.id = ANY (e_id);
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT coalesce(max(seq_id), 0) INTO v_head FROM mt_events;

    INSERT INTO mt_streams AS m (id, type, version, timestamp, created)
        SELECT s.id, s.kind, s.version, p_time, p_time
        FROM unnest(p_streams, p_kinds, p_next) AS s (id, kind, version)
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, timestamp = excluded.timestamp;

    INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type,
                           correlation_id, causation_id, headers)
        SELECT v_head + e.number, e.id, e.stream, e.version, e.data::jsonb, e.type, p_time, e.dotnet,
               e.correlation, e.causation, e.headers::jsonb
        FROM unnest(e_stream, e_version, e_id, e_type, e_data, e_headers, e_correlation, e_causation, e_dotnet)
            WITH ORDINALITY
            AS e (stream, version, id, type, data, headers, correlation, causation, dotnet, number);

    INSERT INTO ml_event_ids (id, position)
        SELECT e.id, v_head + e.number FROM unnest(e_id) WITH ORDINALITY AS e (id, number);

    PERFORM setval('mt_events_sequence', v_head + v_count);
    PERFORM pg_notify('ml_appended', (v_head + v_count)::text);
    RETURN QUERY SELECT 'appended', NULL::text, v_head + 1;
END;
$$;

-- Which nodes are alive. Not a fact of the ledger: rows come and go.
CREATE TABLE ml_presence (
    key       text        NOT NULL,
    kind      text        NOT NULL,
    node      text        NOT NULL,
    seen      timestamptz NOT NULL,
    detail    jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT a_key_is_present_once PRIMARY KEY (key),
    CONSTRAINT presence_is_of_a_node_or_worker CHECK (kind IN ('node', 'worker'))
);
