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
-- p_streams, p_kinds, p_versions, p_counts: each stream once, its kind, the version it is assumed to stand at (0: is
-- new; null: at whatever it stands), and how many of the events are its (0: it is only asked where it stands).
-- p_tolerant, p_passing: such a stream may stand further on, if all that came since is of these types.
-- e_*: the events: the place of each one's stream in p_streams, from 1 on, and its own place among that stream's events.
--
-- Returns a row with outcome 'appended' and the first position, and a row 'base' for each stream that stood elsewhere
-- than assumed, with the version it had before; or rows 'version' (stream, its true version) and 'duplicate' (event id
-- in detail, its position), one for each thing that is not as assumed.
CREATE FUNCTION ml_append(
    p_streams text[], p_kinds text[], p_versions bigint[], p_counts bigint[], p_tolerant boolean[], p_passing text[],
    p_time timestamptz, e_stream text[], e_place int[], e_number bigint[], e_id uuid[], e_type text[], e_data text[],
    e_headers text[], e_correlation text[], e_causation text[], e_dotnet text[])
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
    v_bases bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(7310579631243879525);

    RETURN QUERY
        SELECT 'version', s.id, coalesce(m.version, 0)
        FROM unnest(p_streams, p_versions, p_tolerant) AS s (id, version, tolerant)
        LEFT JOIN mt_streams m ON m.id = s.id
        WHERE coalesce(m.version, 0) <> s.version
          AND NOT (s.tolerant AND m.version > s.version AND NOT EXISTS (
                SELECT FROM mt_events e
                WHERE e.stream_id = s.id AND e.version > s.version AND e.type <> ALL (p_passing)))
        UNION ALL
        SELECT 'duplicate', i.id::text, i.position FROM ml_event_ids i WHERE i.id = ANY (e_id);
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT coalesce(max(seq_id), 0) INTO v_head FROM mt_events;

    INSERT INTO mt_streams AS m (id, type, version, timestamp, created)
        SELECT s.id, s.kind, s.count, p_time, p_time
        FROM unnest(p_streams, p_kinds, p_counts) AS s (id, kind, count)
        WHERE s.count > 0
        ON CONFLICT (id) DO UPDATE SET version = m.version + excluded.version, timestamp = excluded.timestamp;

    SELECT array_agg(coalesce(m.version, 0) - s.count ORDER BY s.place) INTO v_bases
        FROM unnest(p_streams, p_counts) WITH ORDINALITY AS s (id, count, place)
        LEFT JOIN mt_streams m ON m.id = s.id;

    INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type,
                           correlation_id, causation_id, headers)
        SELECT v_head + e.number, e.id, e.stream, v_bases[e.place] + e.own, e.data::jsonb, e.type, p_time, e.dotnet,
               e.correlation, e.causation, e.headers::jsonb
        FROM unnest(e_stream, e_place, e_number, e_id, e_type, e_data, e_headers, e_correlation, e_causation, e_dotnet)
            WITH ORDINALITY
            AS e (stream, place, own, id, type, data, headers, correlation, causation, dotnet, number);

    INSERT INTO ml_event_ids (id, position)
        SELECT e.id, v_head + e.number FROM unnest(e_id) WITH ORDINALITY AS e (id, number);

    PERFORM setval('mt_events_sequence', v_head + v_count);
    PERFORM pg_notify('ml_appended', (v_head + v_count)::text);
    RETURN QUERY SELECT 'appended', NULL::text, v_head + 1;
    RETURN QUERY
        SELECT 'base', s.id, v_bases[s.place]
        FROM unnest(p_streams, p_versions) WITH ORDINALITY AS s (id, version, place)
        WHERE s.version IS DISTINCT FROM v_bases[s.place];
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
