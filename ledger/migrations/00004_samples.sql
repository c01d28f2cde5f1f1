-- Runs that compare a sample, and what their rolling parts add up to. Times are
-- milliseconds since 1970, 0 for none; documents are JSON in TEXT.

-- +goose Up
-- asked is what somebody asked for instead of what the check declares, sample
-- what the run is to draw, and sampled what it drew, in numbers.
ALTER TABLE runs ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN sample TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN seed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN sampled TEXT NOT NULL DEFAULT '';

-- drawn are the keys that a segment compares alone, encrypted; "" for a span.
ALTER TABLE segments ADD COLUMN stratum TEXT NOT NULL DEFAULT '';
ALTER TABLE segments ADD COLUMN drawn TEXT NOT NULL DEFAULT '';

-- random names the runs that drew the suspect's key at random, each with the side
-- whose key it is, divided by spaces.
ALTER TABLE suspects ADD COLUMN random TEXT NOT NULL DEFAULT '';

-- bound is the most that may differ where a sample is what is known; size is
-- about how many records the owner holds, where a sample was drawn of them, and
-- scope_share the share of all records that the last run compared.
ALTER TABLE edges ADD COLUMN bound DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE edges ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE edges ADD COLUMN scope_share DOUBLE PRECISION NOT NULL DEFAULT 0;

-- How far the rolling part of an edge's samples has come in one side's keys.
-- position is encrypted; a cycle is once through all of them. moves counts how
-- often it moved on, skipped the keys of a cycle that could not be compared.
CREATE TABLE rolling (
    check_name   TEXT NOT NULL,
    replica      TEXT NOT NULL,
    side         TEXT NOT NULL,
    hash         TEXT NOT NULL,
    moves        BIGINT NOT NULL,
    position     BYTEA,
    cycle        BIGINT NOT NULL,
    began        BIGINT NOT NULL,
    visited      BIGINT NOT NULL,
    skipped      BIGINT NOT NULL,
    size         BIGINT NOT NULL,
    last_began   BIGINT NOT NULL,
    last_ended   BIGINT NOT NULL,
    last_skipped BIGINT NOT NULL,
    moved_at     BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, side)
);

-- What a run drew of the rolling part: it moves on from the moves-th place to
-- position, once all of it was read.
CREATE TABLE rolls (
    run      TEXT NOT NULL,
    side     TEXT NOT NULL,
    moves    BIGINT NOT NULL,
    position BYTEA,
    wrapped  BOOLEAN NOT NULL,
    drawn    BIGINT NOT NULL,
    size     BIGINT NOT NULL,
    done     BOOLEAN NOT NULL,
    PRIMARY KEY (run, side)
);

-- +goose Down
DROP TABLE rolls;
DROP TABLE rolling;
ALTER TABLE edges DROP COLUMN scope_share;
ALTER TABLE edges DROP COLUMN size;
ALTER TABLE edges DROP COLUMN bound;
ALTER TABLE suspects DROP COLUMN random;
ALTER TABLE segments DROP COLUMN drawn;
ALTER TABLE segments DROP COLUMN stratum;
ALTER TABLE runs DROP COLUMN sampled;
ALTER TABLE runs DROP COLUMN seed;
ALTER TABLE runs DROP COLUMN sample;
ALTER TABLE runs DROP COLUMN asked;
