-- A terminal's store. Instants are milliseconds since 1970-01-01 UTC; UUIDs and digests are blobs.

-- "MGRT": tells this file from any other program's.
PRAGMA application_id = 0x4D475254;

-- One row: whose store this is, and what it knows of the office and of time.
CREATE TABLE terminal (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    city      TEXT NOT NULL,
    terminal  TEXT NOT NULL,
    office    BLOB,
    time_sure INTEGER,
    time      INTEGER,
    device    INTEGER
) STRICT;

-- The epoch that each log is written to: its first kept number, the digest before it, up to where the
-- office holds it, and how many entries a fork has moved here.
CREATE TABLE log (
    kind   TEXT PRIMARY KEY CHECK (kind IN ('fact', 'track')),
    epoch  BLOB NOT NULL,
    first  INTEGER NOT NULL,
    before BLOB NOT NULL,
    acked  INTEGER NOT NULL,
    moved  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Entries as they are sent. A body is never changed.
CREATE TABLE entry (
    log      TEXT NOT NULL REFERENCES log (kind),
    seq      INTEGER NOT NULL,
    id       BLOB NOT NULL,
    digest   BLOB NOT NULL,
    body     TEXT NOT NULL,
    -- When the office was heard to hold it.
    acked_at INTEGER,
    PRIMARY KEY (log, seq)
) STRICT;

-- Texts that crews wrote, beside the entries that name them by digest. May hold residents' data.
CREATE TABLE note (
    log    TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    digest BLOB NOT NULL,
    text   TEXT NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT;

-- Documents as they came; a lapsed one has no body. Residents' data.
CREATE TABLE document (
    name    TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    body    TEXT
) STRICT;
