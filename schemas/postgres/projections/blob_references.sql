-- A read model: derived from the events alone; dropped and built again at will.

-- The blobs to which a job refers: by its document (any text in the payload that is a hash), its receipts, partial
-- outputs and checkpoints. What stands here is kept in the stores until the job's stream is archived.
CREATE TABLE blob_references (
    hash           text   NOT NULL,
    stream_id      text   NOT NULL,
    first_position bigint NOT NULL,
    CONSTRAINT a_job_refers_to_a_blob_once PRIMARY KEY (hash, stream_id)
);
