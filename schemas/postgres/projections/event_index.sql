-- A read model: derived from the events alone; dropped and built again at will.

-- Where in the log a term occurs, in blocks of 512 positions: block b holds the positions 512 b + 1 to 512 b + 512, and
-- an offset is a position less 512 b + 1. All numbers in data have their high byte first.
--
--   term         stands at                           data
--   s STREAM     every event of the stream           offsets, 2 bytes each, rising
--   k KIND       every event of that kind of stream  offsets
--   t TYPE       every event of the type             offsets
--   a DID        every event by the author           offsets
--   o OPERATION  a job's submission                  offsets
--   n NAMESPACE  a job's submission                  offsets
--   l KEY=VALUE  a job's submission                  offsets
--   w WORD       a job's submission                  offsets
--   job          every position                      4 bytes each: how far back its job was submitted, plus 1; 0: no job
--   time         every position                      8 bytes each: the author's time, microseconds since 0001-01-01
--   span         -                                   none: low and high are the block's earliest and latest time
--
-- A value of more than 200 bytes stands as # and the SHA-256 of its UTF-8. What is new is appended to the data of the
-- last block, so that nothing has to be read to be kept up.
CREATE TABLE event_index (
    term   text   COLLATE "C" NOT NULL,
    block  int    NOT NULL,
    events int    NOT NULL,
    data   bytea  NOT NULL,
    low    bigint NULL,
    high   bigint NULL,
    CONSTRAINT a_term_stands_in_a_block_once PRIMARY KEY (term, block)
) WITH (fillfactor = 80);

-- Compressing what is written several times a second costs more than it saves.
ALTER TABLE event_index ALTER COLUMN data SET STORAGE PLAIN;
