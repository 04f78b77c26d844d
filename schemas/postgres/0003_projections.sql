-- Read models: derived from the events alone, so each can be dropped and rebuilt. A projection writes its rows and its
-- position in mt_event_progression in one transaction.

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

CREATE TABLE worker_reputation (
    worker    text   NOT NULL,
    succeeded bigint NOT NULL,
    failed    bigint NOT NULL,
    earned    bigint NOT NULL,
    position  bigint NOT NULL,
    CONSTRAINT a_worker_has_one_reputation PRIMARY KEY (worker)
);

CREATE TABLE accounts (
    owner    text   NOT NULL,
    granted  bigint NOT NULL,
    balance  bigint NOT NULL,
    escrow   bigint NOT NULL,
    paid     bigint NOT NULL,
    received bigint NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT an_owner_has_one_account PRIMARY KEY (owner),
    CONSTRAINT no_balance_is_negative CHECK (balance >= 0),
    CONSTRAINT no_escrow_is_negative CHECK (escrow >= 0)
);
