-- A read model: derived from the events alone; dropped and built again at will.

-- One row a worker and operation; operation '' is overall. milli_points are as of the step of decay in which the last
-- change fell: 32 steps are 30 days, in which points halve.
CREATE TABLE worker_reputation (
    worker       text   NOT NULL,
    operation    text   NOT NULL,
    milli_points bigint NOT NULL,
    step         bigint NOT NULL,
    succeeded    bigint NOT NULL,
    failed       bigint NOT NULL,
    timed_out    bigint NOT NULL,
    lost         bigint NOT NULL,
    disagreed    bigint NOT NULL,
    streak       bigint NOT NULL,
    earned       bigint NOT NULL,
    position     bigint NOT NULL,
    CONSTRAINT a_worker_has_one_reputation_for_an_operation PRIMARY KEY (worker, operation)
);
