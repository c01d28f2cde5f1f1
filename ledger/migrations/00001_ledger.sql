-- One set of statements for SQLite and PostgreSQL. Times are milliseconds since
-- 1970, 0 for none; documents are JSON in TEXT; keys and positions are their
-- injective encoding in BYTEA.

-- +goose Up
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE generations (
    number  BIGINT NOT NULL PRIMARY KEY,
    hash    TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE TABLE processes (
    id         TEXT NOT NULL PRIMARY KEY,
    host       TEXT NOT NULL,
    pid        BIGINT NOT NULL,
    version    TEXT NOT NULL,
    listen     TEXT NOT NULL,
    generation BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    heartbeat  BIGINT NOT NULL
);

-- An edge's row is also its lock: whoever records anything of an edge updates it
-- first, so that what belongs together is written by one at a time.
CREATE TABLE edges (
    check_name   TEXT NOT NULL,
    replica      TEXT NOT NULL,
    declared     BOOLEAN NOT NULL,
    hash         TEXT NOT NULL,
    begun        BIGINT NOT NULL,
    consistency  TEXT NOT NULL,
    since        BIGINT NOT NULL,
    last_run     TEXT NOT NULL,
    last_number  BIGINT NOT NULL,
    last_whole   BOOLEAN NOT NULL,
    last_result  TEXT NOT NULL,
    last_error   TEXT NOT NULL,
    last_at      BIGINT NOT NULL,
    last_success BIGINT NOT NULL,
    coverage     DOUBLE PRECISION NOT NULL,
    compared     BIGINT NOT NULL,
    pending      BIGINT NOT NULL,
    settle       BIGINT NOT NULL,
    term         BIGINT NOT NULL,
    worker       TEXT NOT NULL,
    locks        BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica)
);

CREATE TABLE schedules (
    check_name TEXT NOT NULL PRIMARY KEY,
    spec       TEXT NOT NULL,
    slot_at    BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE slots (
    check_name TEXT NOT NULL,
    slot_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (check_name, slot_at)
);
CREATE INDEX slots_old ON slots (slot_at);

CREATE TABLE runs (
    id               TEXT NOT NULL PRIMARY KEY,
    number           BIGINT NOT NULL UNIQUE,
    check_name       TEXT NOT NULL,
    replica          TEXT NOT NULL,
    cause            TEXT NOT NULL,
    actor            TEXT NOT NULL,
    slot_at          BIGINT NOT NULL,
    generation       BIGINT NOT NULL,
    state            TEXT NOT NULL,
    result           TEXT NOT NULL,
    error            TEXT NOT NULL,
    given            TEXT NOT NULL,
    plan             TEXT NOT NULL,
    estimate         BIGINT NOT NULL,
    records_read     BIGINT NOT NULL,
    counts           TEXT NOT NULL,
    unread           BIGINT NOT NULL,
    pending          BIGINT NOT NULL,
    omitted          BIGINT NOT NULL,
    copies           BOOLEAN NOT NULL,
    reasons          TEXT NOT NULL,
    waits            TEXT NOT NULL,
    coverage         DOUBLE PRECISION NOT NULL,
    created_at       BIGINT NOT NULL,
    started_at       BIGINT NOT NULL,
    ended_at         BIGINT NOT NULL,
    finished_at      BIGINT NOT NULL,
    cancel_requested BOOLEAN NOT NULL,
    cancelled_by     TEXT NOT NULL,
    segments         BIGINT NOT NULL,
    segments_done    BIGINT NOT NULL,
    term             BIGINT NOT NULL,
    worker           TEXT NOT NULL,
    hash             TEXT NOT NULL,
    told             BOOLEAN NOT NULL
);
CREATE INDEX runs_of_check ON runs (check_name, number);
CREATE INDEX runs_of_check_by_result ON runs (check_name, result, number);
CREATE INDEX runs_by_result ON runs (result, number);
CREATE INDEX runs_going ON runs (check_name, number) WHERE state <> 'finished';
CREATE INDEX runs_old ON runs (finished_at) WHERE state = 'finished';

CREATE TABLE segments (
    run          TEXT NOT NULL,
    n            BIGINT NOT NULL,
    drive        TEXT NOT NULL,
    presence     BOOLEAN NOT NULL,
    begins       BYTEA,
    cursor_at    BYTEA,
    ends         BYTEA,
    estimate     BIGINT NOT NULL,
    state        TEXT NOT NULL,
    term         BIGINT NOT NULL,
    worker       TEXT NOT NULL,
    records_read BIGINT NOT NULL,
    counts       TEXT NOT NULL,
    unread       BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    error        TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    PRIMARY KEY (run, n)
);

-- runs names the runs that wait for a suspect, divided by spaces: nearly always
-- one. met_term is the edge's term when a scan last met it: a suspect met after
-- it was taken to be judged is judged again before it is cleared.
CREATE TABLE suspects (
    ident      BYTEA NOT NULL,
    duplicate  BOOLEAN NOT NULL,
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    record_key BYTEA NOT NULL,
    copy_id    BYTEA NOT NULL,
    owner      BYTEA NOT NULL,
    first_seen BIGINT NOT NULL,
    since      BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    restarts   BIGINT NOT NULL,
    runs       TEXT NOT NULL,
    met_term   BIGINT NOT NULL,
    PRIMARY KEY (ident, duplicate)
);
CREATE INDEX suspects_due ON suspects (check_name, replica, due_at);

-- Values under a mask are never here in clear: fields, key_text and search hold
-- them as they may be shown. record_key and copy_id are in clear even where a
-- mask covers them, since the record is read again by them.
-- asked_at is when it was last to be read again, whether or not it could be.
-- counted names the run that last counted the finding, and the kinds it counted
-- it as, divided by spaces.
CREATE TABLE findings (
    id           TEXT NOT NULL PRIMARY KEY,
    ident        BYTEA NOT NULL,
    check_name   TEXT NOT NULL,
    replica      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    changed_at   BIGINT NOT NULL,
    first_seen   BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    last_seen    BIGINT NOT NULL,
    checked_at   BIGINT NOT NULL,
    asked_at     BIGINT NOT NULL,
    resolved_at  BIGINT NOT NULL,
    muted_until  BIGINT NOT NULL,
    seen         BIGINT NOT NULL,
    regressions  BIGINT NOT NULL,
    revision     BIGINT NOT NULL,
    accepted     BOOLEAN NOT NULL,
    whole        BOOLEAN NOT NULL,
    pattern_id   BYTEA NOT NULL,
    counted      TEXT NOT NULL,
    resolution   TEXT NOT NULL,
    age          TEXT NOT NULL,
    search       TEXT NOT NULL,
    record_key   BYTEA NOT NULL,
    copy_id      BYTEA NOT NULL,
    key_text     TEXT NOT NULL,
    pattern      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    fields       TEXT NOT NULL
);
CREATE UNIQUE INDEX findings_ident ON findings (ident);
CREATE INDEX findings_open ON findings (changed_at, id, search) WHERE state <> 'resolved';
CREATE INDEX findings_resolved ON findings (changed_at, id, search) WHERE state = 'resolved';
CREATE INDEX findings_of_edge ON findings (check_name, replica, kind, state, changed_at, id, search);
CREATE INDEX findings_of_pattern ON findings (check_name, replica, pattern_id, state, changed_at, id);
CREATE INDEX findings_oldest ON findings (check_name, replica, first_seen, id) WHERE state <> 'resolved';
CREATE INDEX findings_first ON findings (first_seen, id) WHERE state <> 'resolved';
CREATE INDEX findings_muted ON findings (muted_until) WHERE state = 'muted';

CREATE TABLE finding_fields (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    field      TEXT NOT NULL,
    finding    TEXT NOT NULL,
    PRIMARY KEY (field, check_name, replica, finding)
);

-- The words of a finding's id and key, as bytes: their beginnings are looked up,
-- and bytes have the same order everywhere.
CREATE TABLE finding_words (
    word    BYTEA NOT NULL,
    finding TEXT NOT NULL,
    PRIMARY KEY (word, finding)
);

CREATE TABLE transitions (
    finding    TEXT NOT NULL,
    revision   BIGINT NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    run        TEXT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (finding, revision)
);

-- What follows is kept up with every change of a finding, so that nobody counts
-- when a page is asked for.
CREATE TABLE tallies (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, kind, state)
);

-- arrivals counts open findings by the hour in which they were confirmed.
CREATE TABLE arrivals (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    hour_at    BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, hour_at)
);
CREATE INDEX arrivals_at ON arrivals (hour_at);

CREATE TABLE patterns (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    pattern_id BYTEA NOT NULL,
    words      TEXT NOT NULL,
    n          BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, pattern_id)
);

CREATE TABLE field_tallies (
    check_name TEXT NOT NULL,
    replica    TEXT NOT NULL,
    field      TEXT NOT NULL,
    n          BIGINT NOT NULL,
    kept       BIGINT NOT NULL,
    PRIMARY KEY (check_name, replica, field)
);

CREATE TABLE buckets (
    check_name  TEXT NOT NULL,
    replica     TEXT NOT NULL,
    begins_at   BIGINT NOT NULL,
    worst       TEXT NOT NULL,
    runs        BIGINT NOT NULL,
    differences BIGINT NOT NULL,
    compared    BIGINT NOT NULL,
    coverage    DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (check_name, replica, begins_at)
);
CREATE INDEX buckets_at ON buckets (begins_at);

CREATE TABLE answers (
    route    TEXT NOT NULL,
    name     TEXT NOT NULL,
    status   BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    asked_at BIGINT NOT NULL,
    PRIMARY KEY (route, name)
);
CREATE INDEX answers_old ON answers (asked_at);

-- +goose Down
DROP TABLE answers;
DROP TABLE buckets;
DROP TABLE field_tallies;
DROP TABLE patterns;
DROP TABLE arrivals;
DROP TABLE tallies;
DROP TABLE transitions;
DROP TABLE finding_words;
DROP TABLE finding_fields;
DROP TABLE findings;
DROP TABLE suspects;
DROP TABLE segments;
DROP TABLE runs;
DROP TABLE slots;
DROP TABLE schedules;
DROP TABLE edges;
DROP TABLE processes;
DROP TABLE generations;
DROP TABLE counters;
DROP TABLE settings;
