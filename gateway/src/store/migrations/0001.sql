-- The office's store. Instants are milliseconds since 1970-01-01 UTC; business dates are text like
-- 2026-04-01 (Asia/Tokyo); UUIDs and digests are blobs. History names pickups by id. Residents' data
-- stands in `resident` and `note`, where it can be erased, and for a while in `document.body` (emptied 30
-- days after the list's day), `aside.raw` (emptied 30 days after it was settled) and a held `import.content`.

-- One row: whose office this is, and which life of its store.
CREATE TABLE office (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    city        TEXT NOT NULL,
    incarnation BLOB NOT NULL,
    -- Counts starts; beside it a file says the same, so that a copied-back store is recognised.
    generation  INTEGER NOT NULL
) STRICT;

-- The city's plan as last read; gone ones stay for history.
CREATE TABLE contractor (
    id   TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE contract (
    id         TEXT PRIMARY KEY,
    contractor TEXT NOT NULL REFERENCES contractor (id),
    first_day  TEXT NOT NULL,
    last_day   TEXT NOT NULL
) STRICT;
CREATE TABLE vehicle (
    id       TEXT PRIMARY KEY,
    contract TEXT NOT NULL REFERENCES contract (id),
    name     TEXT NOT NULL,
    round    TEXT NOT NULL
) STRICT;

CREATE TABLE terminal (
    id            TEXT PRIMARY KEY,
    contract      TEXT NOT NULL REFERENCES contract (id),
    vehicle       TEXT NOT NULL REFERENCES vehicle (id),
    -- SHA-256 of the secret; the secret itself is only ever shown once.
    secret_sha256 BLOB NOT NULL,
    added_at      INTEGER NOT NULL,
    blocked_at    INTEGER,
    -- What it last said of itself.
    online        INTEGER NOT NULL DEFAULT 0,
    last_heard_at INTEGER,
    boot          BLOB,
    app           TEXT,
    waiting       INTEGER,
    lat           REAL,
    lng           REAL,
    position_at   INTEGER
) STRICT;

-- One epoch of one log of one terminal, and how far the office holds it.
CREATE TABLE log (
    id        INTEGER PRIMARY KEY,
    terminal  TEXT NOT NULL REFERENCES terminal (id),
    kind      TEXT NOT NULL CHECK (kind IN ('fact', 'track')),
    epoch     BLOB NOT NULL,
    held      INTEGER NOT NULL DEFAULT 0,
    digest    BLOB NOT NULL,
    opened_at INTEGER NOT NULL,
    UNIQUE (terminal, kind, epoch)
) STRICT;

-- Every entry as it came. Never changed.
CREATE TABLE entry (
    log         INTEGER NOT NULL REFERENCES log (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    digest      BLOB NOT NULL,
    body        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- Numbers that nobody has any more: kept neither by the terminal nor by the office.
CREATE TABLE hole (
    log        INTEGER NOT NULL REFERENCES log (id),
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    PRIMARY KEY (log, first_seq)
) STRICT, WITHOUT ROWID;

-- Import of a request file.
CREATE TABLE import (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    -- Name and SHA-256 of the file, and the profile's name.
    file      TEXT NOT NULL,
    sha256    BLOB NOT NULL,
    profile   TEXT NOT NULL,
    -- 'applied', 'held' (for a person), 'dropped'.
    state     TEXT NOT NULL CHECK (state IN ('applied', 'held', 'dropped')),
    -- Counts as JSON: lines, skipped, added, changed, unchanged, cancelled, reinstated.
    counts    TEXT NOT NULL,
    -- Why it is held, for people.
    held_why  TEXT,
    -- The file and the profile's text as they came, while held; residents' data, dropped after.
    content   BLOB,
    profile_text TEXT
) STRICT;

-- One request's visit on one date. What is not residents' data.
CREATE TABLE pickup (
    id         INTEGER PRIMARY KEY,
    uid        BLOB NOT NULL UNIQUE,
    -- The request's key in the reception system, by the profile.
    source     TEXT NOT NULL,
    source_key TEXT NOT NULL,
    date       TEXT NOT NULL,
    district   TEXT NOT NULL,
    ward       TEXT NOT NULL,
    contract   TEXT NOT NULL REFERENCES contract (id),
    vehicle    TEXT NOT NULL REFERENCES vehicle (id),
    stop       INTEGER NOT NULL,
    reception  TEXT NOT NULL,
    -- Items as JSON ([proto Item]) and payment as on the wire.
    items      TEXT NOT NULL,
    payment    TEXT NOT NULL,
    -- The office's word as on the wire (JSON of proto OfficeWord).
    office     TEXT NOT NULL DEFAULT '"planned"',
    -- Revision of the attributes: the number of its last 'added' or 'changed' history row of this pickup, from 1.
    rev        INTEGER NOT NULL DEFAULT 1,
    -- Set where the office changed it on the very day (変更).
    changed_on TEXT,
    -- The verdict, kept up with every fact and decision:
    -- 'open','collected','partly','not_collected','revisit','cancelled','not_reported'.
    state      TEXT NOT NULL DEFAULT 'open',
    -- Reason code where not collected or partly (the first item's reason).
    reason     TEXT,
    -- The fact the state rests on, and when by the terminal's best clock and by the office's.
    by_fact    BLOB,
    by_terminal TEXT,
    said_at    INTEGER,
    received_at INTEGER,
    -- JSON array of contradictions as on the wire; NULL for none.
    contradictions TEXT,
    UNIQUE (source, source_key)
) STRICT;
CREATE INDEX pickup_round ON pickup (date, contract, vehicle, stop);
CREATE INDEX pickup_reception ON pickup (reception, date);
CREATE INDEX pickup_attention ON pickup (date, state);

-- Residents' data of a pickup, one row a revision.
CREATE TABLE resident (
    pickup   INTEGER NOT NULL REFERENCES pickup (id),
    rev      INTEGER NOT NULL,
    town     TEXT NOT NULL,
    lot      TEXT NOT NULL DEFAULT '',
    building TEXT NOT NULL DEFAULT '',
    spot     TEXT NOT NULL DEFAULT '',
    notice   TEXT NOT NULL DEFAULT '',
    lat      REAL,
    lng      REAL,
    PRIMARY KEY (pickup, rev)
) STRICT, WITHOUT ROWID;

-- What happened to a pickup, in commit order: the office's decisions and changes, and the field's facts.
-- `id` is also the number of the live stream.
CREATE TABLE history (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    pickup  INTEGER NOT NULL REFERENCES pickup (id),
    at      INTEGER NOT NULL,
    -- 'added','changed','cancelled','reinstated','outcome','undo'.
    kind    TEXT NOT NULL,
    -- Of an office row: the import. Of a fact: its id.
    import  INTEGER REFERENCES import (id),
    fact    BLOB REFERENCES fact (id),
    -- JSON; of a change: {"rev":2,"fields":{"vehicle":["a","b"],"address":null}}, residents' fields by name only.
    detail  TEXT
) STRICT;
CREATE INDEX history_pickup ON history (pickup, id);

-- Facts as applied, each id once.
CREATE TABLE fact (
    id          BLOB PRIMARY KEY,
    log         INTEGER NOT NULL REFERENCES log (id),
    seq         INTEGER NOT NULL,
    terminal    TEXT NOT NULL,
    pickup      INTEGER NOT NULL REFERENCES pickup (id),
    contract    TEXT NOT NULL,
    -- The wire's body: JSON of proto FactBody.
    body        TEXT NOT NULL,
    -- The three clocks.
    terminal_at INTEGER NOT NULL,
    gnss_at     INTEGER,
    trusted_at  INTEGER,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX fact_pickup ON fact (pickup);

-- Texts of notes; residents' data.
CREATE TABLE note (
    sha256      BLOB PRIMARY KEY,
    text        TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the office could not take, raw, until a person has looked.
CREATE TABLE aside (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    topic       TEXT NOT NULL,
    terminal    TEXT,
    -- Where it is an entry of a log.
    log         INTEGER REFERENCES log (id),
    seq         INTEGER,
    entry_id    BLOB,
    -- What is wrong, in a few words that hold none of the content.
    problem     TEXT NOT NULL,
    -- The first 256 KiB; `bytes` is the whole length.
    raw         BLOB NOT NULL,
    bytes       INTEGER NOT NULL,
    -- Set when it was processed again with success, or a person put it away.
    settled_at  INTEGER,
    settled_how TEXT
) STRICT;
CREATE INDEX aside_open ON aside (settled_at, id);

-- What a person should know: 'fork', 'hole', 'two_devices', 'restored', 'import_held', 'list_too_large'.
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    terminal   TEXT,
    detail     TEXT NOT NULL,
    settled_at INTEGER
) STRICT;

-- The documents last issued to each terminal.
CREATE TABLE document (
    terminal TEXT NOT NULL REFERENCES terminal (id),
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    -- SHA-256 over what a new version would be made for: everything but the terminal's own statements.
    basis    BLOB NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (terminal, name)
) STRICT, WITHOUT ROWID;

-- Health samples of the track log, newest per terminal is in `terminal`.
CREATE TABLE health (
    log        INTEGER NOT NULL REFERENCES log (id),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    app        TEXT NOT NULL,
    waiting    INTEGER NOT NULL,
    free_bytes INTEGER,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;
