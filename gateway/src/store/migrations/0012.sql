-- Terminals come in by certificate, and enrol by a code that is shown once.

CREATE TABLE certificate (
    -- Its number, in hexadecimal digits.
    serial       TEXT PRIMARY KEY,
    terminal     TEXT NOT NULL REFERENCES terminal (id),
    -- The terminal's public key: a point of P-256, uncompressed.
    public_key   BLOB NOT NULL,
    -- SHA-256 of the request that it answers: one that comes again gets the same.
    request      BLOB NOT NULL,
    pem          TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    -- When the terminal first came in by it.
    connected_at INTEGER,
    -- Since when it is not taken any more, though it may not be over: another one has taken its place.
    ended_at     INTEGER
) STRICT;
CREATE INDEX certificate_terminal ON certificate (terminal, issued_at);

CREATE TABLE enrolment (
    id       INTEGER PRIMARY KEY,
    -- The code's first digits, which may be told.
    name     TEXT NOT NULL,
    terminal TEXT NOT NULL REFERENCES terminal (id),
    -- What the terminal proves to have; none once it is over.
    code_key BLOB,
    made_at  INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    used_at  INTEGER,
    serial   TEXT REFERENCES certificate (serial)
) STRICT;
CREATE UNIQUE INDEX enrolment_open ON enrolment (name) WHERE code_key IS NOT NULL;
CREATE INDEX enrolment_terminal ON enrolment (terminal);
