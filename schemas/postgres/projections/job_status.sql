-- A read model: derived from the events alone; dropped and built again at will.

CREATE TABLE job_status (
    job_id            text        NOT NULL,
    status            text        NOT NULL,
    operation         text        NOT NULL,
    submitter         text        NOT NULL,
    transport         text        NOT NULL,
    max_price         bigint      NOT NULL,
    document_sha256   text        NOT NULL,
    attempt           int         NOT NULL DEFAULT 0,
    bids              int         NOT NULL DEFAULT 0,
    worker            text        NULL,
    price             bigint      NULL,
    phase             text        NULL,
    progress_bp       int         NULL,
    message           text        NULL,
    error_code        text        NULL,
    error_message     text        NULL,
    submitted_at      timestamptz NOT NULL,
    assigned_at       timestamptz NULL,
    started_at        timestamptz NULL,
    ended_at          timestamptz NULL,
    version           bigint      NOT NULL,
    submitted_position bigint     NOT NULL,
    position          bigint      NOT NULL,
    CONSTRAINT a_job_has_one_status PRIMARY KEY (job_id)
);

CREATE INDEX job_status_by_submission ON job_status (submitted_position);
CREATE INDEX job_status_open ON job_status (submitted_position) WHERE ended_at IS NULL;
