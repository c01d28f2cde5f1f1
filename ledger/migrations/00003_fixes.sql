-- Plans of fixes, what became of each item, and what keeps fixes from being
-- made. Times are milliseconds since 1970, 0 for none; documents are JSON in TEXT.

-- +goose Up
-- seal is a keyed hash of what a plan says and of its items' contents, all that
-- never changes once it is drafted.
CREATE TABLE plans (
    id            TEXT NOT NULL PRIMARY KEY,
    number        BIGINT NOT NULL UNIQUE,
    check_name    TEXT NOT NULL,
    replica       TEXT NOT NULL,
    route         TEXT NOT NULL,
    undoes        TEXT NOT NULL,
    undone_by     TEXT NOT NULL,
    state         TEXT NOT NULL,
    hash          TEXT NOT NULL,
    check_hash    TEXT NOT NULL,
    choice        TEXT NOT NULL,
    auto          BOOLEAN NOT NULL,
    drafted_by    TEXT NOT NULL,
    drafted_name  TEXT NOT NULL,
    drafted_at    BIGINT NOT NULL,
    needs         BIGINT NOT NULL,
    asked_at      BIGINT NOT NULL,
    approved_at   BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    begun_by      TEXT NOT NULL,
    begun_name    TEXT NOT NULL,
    begun_at      BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    reason        TEXT NOT NULL,
    stop_on_error BOOLEAN NOT NULL,
    counts        TEXT NOT NULL,
    kinds         TEXT NOT NULL,
    left_out      TEXT NOT NULL,
    checklist     TEXT NOT NULL,
    term          BIGINT NOT NULL,
    worker        TEXT NOT NULL,
    revision      BIGINT NOT NULL,
    seal          BYTEA NOT NULL
);
CREATE INDEX plans_of_check ON plans (check_name, number);
CREATE INDEX plans_by_state ON plans (state, number);
CREATE INDEX plans_expiring ON plans (expires_at) WHERE expires_at > 0;
CREATE INDEX plans_old ON plans (ended_at) WHERE ended_at > 0;

-- seal is a keyed hash of the row: an approval that was written or changed by other
-- hands does not count, nor one whose seal was taken off since its plan is over.
CREATE TABLE plan_approvals (
    plan    TEXT NOT NULL,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    hash    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    seal    BYTEA NOT NULL,
    PRIMARY KEY (plan, account, name)
);

-- content is what the item's hash covers, and what its record looked like,
-- encrypted; NULL once it was pruned. fields, now and statement are as they may
-- be shown. until_at is of the store's own clock, held_until of ours. fixing says
-- that its finding is in state fixing because of it.
CREATE TABLE plan_items (
    plan       TEXT NOT NULL,
    n          BIGINT NOT NULL,
    finding    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    content    BYTEA,
    key_text   TEXT NOT NULL,
    fields     TEXT NOT NULL,
    statement  TEXT NOT NULL,
    state      TEXT NOT NULL,
    note       TEXT NOT NULL,
    now_fields TEXT NOT NULL,
    until_at   BIGINT NOT NULL,
    held_until BIGINT NOT NULL,
    worker     TEXT NOT NULL,
    term       BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    fixing     BOOLEAN NOT NULL,
    PRIMARY KEY (plan, n)
);
CREATE INDEX plan_items_of_finding ON plan_items (finding, ended_at);
CREATE INDEX plan_items_by_state ON plan_items (plan, state, n);
CREATE INDEX plan_items_unseen ON plan_items (ended_at) WHERE fixing;

-- check_name is "" for the freeze of all.
CREATE TABLE freezes (
    check_name TEXT NOT NULL PRIMARY KEY,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    at         BIGINT NOT NULL
);

CREATE TABLE fix_pauses (
    check_name TEXT NOT NULL PRIMARY KEY,
    reason     TEXT NOT NULL,
    at         BIGINT NOT NULL
);

-- +goose Down
DROP TABLE fix_pauses;
DROP TABLE freezes;
DROP TABLE plan_items;
DROP TABLE plan_approvals;
DROP TABLE plans;
