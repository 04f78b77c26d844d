-- A read model: derived from the events alone; dropped and built again at will.

CREATE TABLE worker_reputation (
    worker    text   NOT NULL,
    succeeded bigint NOT NULL,
    failed    bigint NOT NULL,
    earned    bigint NOT NULL,
    position  bigint NOT NULL,
    CONSTRAINT a_worker_has_one_reputation PRIMARY KEY (worker)
);
