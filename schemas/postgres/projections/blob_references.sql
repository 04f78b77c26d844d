-- A read model: derived from the events alone; dropped and built again at will.

-- The blobs to which a job refers: by its document (any text in the payload that is a hash), its receipts, partial
-- outputs and checkpoints. What stands here is kept in the stores until the job's stream is archived. Of checkpoints
-- only the last of each worker stands here, and none once the job has ended: nobody goes on from the others.
CREATE TABLE blob_references (
    hash           text   NOT NULL,
    stream_id      text   NOT NULL,
    -- The worker whose last checkpoint it is; empty where it is none.
    checkpoint_of  text   NOT NULL,
    first_position bigint NOT NULL,
    CONSTRAINT a_job_refers_to_a_blob_once PRIMARY KEY (stream_id, checkpoint_of, hash)
);
