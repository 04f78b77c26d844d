-- A read model: derived from the events alone; dropped and built again at will.

-- One row a worker's run of an attempt. What is not known yet is null: of a run that was never started, started_at; of one
-- without a receipt, duration_us and error_code; of one that is not settled, result and paid.
CREATE TABLE job_runs (
    job_id      text        NOT NULL,
    attempt     int         NOT NULL,
    worker      text        NOT NULL,
    price       bigint      NULL,
    assigned_at timestamptz NULL,
    started_at  timestamptz NULL,
    -- When its receipt was signed, else when it was given up.
    ended_at    timestamptz NULL,
    duration_us bigint      NULL,
    -- What the receipt says; null also for success.
    error_code  text        NULL,
    error_message text      NULL,
    -- As the settlement has it: succeeded, agreed, own, failed, timed_out, lost, disagreed, withdrawn.
    result      text        NULL,
    paid        bigint      NULL,
    position    bigint      NOT NULL,
    CONSTRAINT a_worker_runs_an_attempt_once PRIMARY KEY (job_id, attempt, worker)
);
