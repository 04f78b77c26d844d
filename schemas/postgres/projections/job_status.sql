-- A read model: derived from the events alone; dropped and built again at will.

CREATE TABLE job_status (
    job_id            text        NOT NULL,
    status            text        NOT NULL,
    operation         text        NOT NULL,
    submitter         text        NOT NULL,
    transport         text        NOT NULL,
    namespace         text        NULL,
    priority          int         NOT NULL,
    max_price         bigint      NOT NULL,
    document_sha256   text        NOT NULL,
    redriven_of       text        NULL,
    attempt           int         NOT NULL,
    failures          int         NOT NULL,
    losses            int         NOT NULL,
    bids              int         NOT NULL,
    workers           text[]      NOT NULL,
    worker            text        NULL,
    price             bigint      NULL,
    -- What is held for it now; once it has ended, all was paid or refunded.
    escrow            bigint      NULL,
    paid              bigint      NULL,
    refunded          bigint      NULL,
    -- Of the attempt that is under way. How far an ended job came stays, its words do not.
    phase             text        NULL,
    progress_bp       int         NULL,
    eta_ms            bigint      NULL,
    message           text        NULL,
    error_code        text        NULL,
    error_message     text        NULL,
    cancel_reason     text        NULL,
    submitted_at      timestamptz NOT NULL,
    assigned_at       timestamptz NULL,
    started_at        timestamptz NULL,
    retry_at          timestamptz NULL,
    ended_at          timestamptz NULL,
    version           bigint      NOT NULL,
    submitted_position bigint     NOT NULL,
    position          bigint      NOT NULL,
    CONSTRAINT a_job_has_one_status PRIMARY KEY (job_id)
);

CREATE INDEX job_status_by_submission ON job_status (submitted_position);
CREATE INDEX job_status_open ON job_status (submitted_position) WHERE ended_at IS NULL;

-- By columns that seldom change, so that a change of the status alone touches no index.
CREATE INDEX job_status_failed ON job_status (submitted_position) WHERE error_code IS NOT NULL AND ended_at IS NOT NULL;
CREATE INDEX job_status_redrives ON job_status (redriven_of) WHERE redriven_of IS NOT NULL;

-- Jobs that failed for good, and that their submitter has not run again. What somebody else's document says of a job
-- does not take it from here.
CREATE VIEW dead_letters AS
    SELECT j.* FROM job_status j
    WHERE j.status = 'failed' AND j.error_code IS NOT NULL AND j.ended_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM job_status r WHERE r.redriven_of = j.job_id AND r.submitter = j.submitter);
