-- How the stores keep what the checks read. Times are milliseconds since 1970,
-- 0 for none; documents are JSON in TEXT.

-- +goose Up
-- shape is the fingerprint of both sides' shapes, as the run was planned by.
ALTER TABLE runs ADD COLUMN shape TEXT NOT NULL DEFAULT '';

-- The shapes by which an edge is read: what is broken since is compared with them.
-- They are of the check of that hash, and of no other. run was planned by them;
-- seen is what its records showed of the fields that no store declares, and
-- seeing the same of a run that is not over yet. broken are words, '' for none.
CREATE TABLE schemas (
    check_name  TEXT NOT NULL,
    replica     TEXT NOT NULL,
    hash        TEXT NOT NULL,
    run         TEXT NOT NULL,
    shapes      TEXT NOT NULL,
    seen        TEXT NOT NULL,
    seeing      TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    broken      TEXT NOT NULL,
    broken_at   BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica)
);

-- What was found to have changed, and when it was last news.
CREATE TABLE schema_changes (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    side       TEXT NOT NULL,
    words      TEXT NOT NULL,
    breaks     BOOLEAN NOT NULL,
    run        TEXT NOT NULL,
    found_at   BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, side, words)
);
CREATE INDEX schema_changes_old ON schema_changes (found_at);

-- +goose Down
DROP TABLE schema_changes;
DROP TABLE schemas;
ALTER TABLE runs DROP COLUMN shape;
