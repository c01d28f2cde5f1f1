-- Who may act, what they did, and who is told. Times are milliseconds since
-- 1970, 0 for none; documents are JSON in TEXT.

-- +goose Up
CREATE TABLE accounts (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    password   TEXT NOT NULL,
    disabled   BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

-- id is the SHA-256 of the cookie.
CREATE TABLE sessions (
    id         BYTEA NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    account    TEXT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX sessions_of ON sessions (account);
CREATE INDEX sessions_old ON sessions (used_at);

-- account is "" for a token that belongs to no person.
CREATE TABLE tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    account    TEXT NOT NULL,
    role       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

-- How often signing in failed: a row for each name and address, one for each
-- address, and one for all, whose locked_until tells how much of what all may
-- compute is used up. good_at is when it last succeeded.
CREATE TABLE sign_ins (
    subject      TEXT NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    good_at      BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL
);
CREATE INDEX sign_ins_old ON sign_ins (changed_at);

-- What may be used once: a set-up token, the link of a Slack user.
CREATE TABLE codes (
    hash       BYTEA NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    subject    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX codes_old ON codes (expires_at);

CREATE TABLE slack_users (
    team      TEXT NOT NULL,
    person    TEXT NOT NULL,
    account   TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (team, person)
);
CREATE INDEX slack_users_of ON slack_users (account);

-- number and seal are NULL until the sealer has come by.
CREATE TABLE audit (
    id      TEXT NOT NULL PRIMARY KEY,
    number  BIGINT UNIQUE,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    account TEXT NOT NULL,
    role    TEXT NOT NULL,
    via     TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail  TEXT NOT NULL,
    seal    BYTEA
);
CREATE INDEX audit_unsealed ON audit (at, id) WHERE number IS NULL;
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_of_actor ON audit (actor, at, id);
CREATE INDEX audit_of_object ON audit (object, at, id);

-- Findings of an edge that are open and accepted as known.
ALTER TABLE edges ADD COLUMN accepted BIGINT NOT NULL DEFAULT 0;
UPDATE edges SET accepted = (SELECT COUNT(*) FROM findings f WHERE f.check_name = edges.check_name
    AND f.replica = edges.replica AND f.accepted AND f.state <> 'resolved');

-- cause is why nothing can be said of an edge, in words of ours.
ALTER TABLE edges ADD COLUMN cause TEXT NOT NULL DEFAULT '';

CREATE TABLE incidents (
    id              TEXT NOT NULL PRIMARY KEY,
    number          BIGINT NOT NULL UNIQUE,
    check_name      TEXT NOT NULL,
    kind            TEXT NOT NULL,
    state           TEXT NOT NULL,
    opened_at       BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    resolved_at     BIGINT NOT NULL,
    regressed       BIGINT NOT NULL,
    acknowledged_by TEXT NOT NULL,
    acknowledged_at BIGINT NOT NULL,
    facts           TEXT NOT NULL,
    first           BIGINT NOT NULL,
    peak            BIGINT NOT NULL,
    told            BIGINT NOT NULL,
    told_at         BIGINT NOT NULL,
    resolution      TEXT NOT NULL,
    revision        BIGINT NOT NULL,
    spread          TEXT NOT NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (check_name, kind) WHERE state <> 'resolved';
CREATE INDEX incidents_of_check ON incidents (check_name, kind, number);
CREATE INDEX incidents_by_state ON incidents (state, number);
CREATE INDEX incidents_resolved ON incidents (resolved_at);

CREATE TABLE milestones (
    incident TEXT NOT NULL,
    n        BIGINT NOT NULL,
    event    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    counted  BIGINT NOT NULL,
    note     TEXT NOT NULL,
    PRIMARY KEY (incident, n)
);

CREATE TABLE mutes (
    check_name TEXT NOT NULL PRIMARY KEY,
    until_at   BIGINT NOT NULL,
    above      BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    muted_at   BIGINT NOT NULL
);

-- One row for each incident and target: what the target was told (revision and
-- milestone) and where that message is. due_at is when the next step is to be
-- taken, 0 for none; what is sent is doubtful from before that until it is known
-- whether it was made, lost counts how often, and upto is the last milestone that
-- a doubtful reply tells.
CREATE TABLE deliveries (
    subject     TEXT NOT NULL,
    integration TEXT NOT NULL,
    address     TEXT NOT NULL,
    mention     TEXT NOT NULL,
    channel     TEXT NOT NULL,
    ts          TEXT NOT NULL,
    revision    BIGINT NOT NULL,
    milestone   BIGINT NOT NULL,
    content     TEXT NOT NULL,
    due_at      BIGINT NOT NULL,
    doubtful    BIGINT NOT NULL,
    lost        BIGINT NOT NULL,
    upto        BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    error       TEXT NOT NULL,
    sent_at     BIGINT NOT NULL,
    PRIMARY KEY (subject, integration, address)
);
CREATE INDEX deliveries_old ON deliveries (sent_at) WHERE content <> '';
CREATE INDEX deliveries_due ON deliveries (integration, address, due_at) WHERE due_at > 0;

-- One row for each target, and one with the address "" for a whole integration:
-- nothing is sent there before next_at. Who sends holds the row until held_until,
-- under its term. noted_at is when either was written: where that lies ahead, a
-- clock was set back.
CREATE TABLE outlets (
    integration TEXT NOT NULL,
    address     TEXT NOT NULL,
    next_at     BIGINT NOT NULL,
    held_until  BIGINT NOT NULL,
    noted_at    BIGINT NOT NULL,
    term        BIGINT NOT NULL,
    error       TEXT NOT NULL,
    error_at    BIGINT NOT NULL,
    PRIMARY KEY (integration, address)
);

-- Requests of Slack that were taken, each once: id is of the signed request or of
-- the envelope.
CREATE TABLE inbox (
    id      BYTEA NOT NULL PRIMARY KEY,
    came_at BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    body    TEXT NOT NULL,
    term    BIGINT NOT NULL,
    due_at  BIGINT NOT NULL
);
CREATE INDEX inbox_due ON inbox (due_at) WHERE due_at > 0;
CREATE INDEX inbox_old ON inbox (came_at);

-- +goose Down
DROP TABLE inbox;
DROP TABLE outlets;
DROP TABLE deliveries;
DROP TABLE mutes;
DROP TABLE milestones;
DROP TABLE incidents;
ALTER TABLE edges DROP COLUMN cause;
ALTER TABLE edges DROP COLUMN accepted;
DROP TABLE audit;
DROP TABLE slack_users;
DROP TABLE codes;
DROP TABLE sign_ins;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE accounts;
