-- What a fact writes is kept small, so that a commit of many of them changes few pages. Entries and facts stand in the order
-- in which they came (rows this long in the order of a key make a deep tree of which every commit changes much), and a
-- pickup's facts are found through its history. That an entry came before, and a fork carried it over, is known by what was
-- made of it: a fact, a sample, or a row set aside.
CREATE TABLE entry_0010 (
    log         INTEGER NOT NULL REFERENCES log (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    digest      BLOB NOT NULL,
    body        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT;
INSERT INTO entry_0010 SELECT log, seq, id, digest, body, received_at FROM entry;
DROP TABLE entry;
ALTER TABLE entry_0010 RENAME TO entry;

CREATE TABLE fact_0010 (
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
INSERT INTO fact_0010
    SELECT id, log, seq, terminal, pickup, contract, body, terminal_at, gnss_at, trusted_at, received_at FROM fact ORDER BY rowid;

-- No row is ever deleted, so that a number is never used again without AUTOINCREMENT, too.
CREATE TABLE history_0010 (
    id      INTEGER PRIMARY KEY,
    pickup  INTEGER NOT NULL REFERENCES pickup (id),
    at      INTEGER NOT NULL,
    -- 'added','changed','cancelled','reinstated','outcome','undo'.
    kind    TEXT NOT NULL,
    -- Of an office row: the import. Of a fact: its id.
    import  INTEGER REFERENCES import (id),
    fact    BLOB REFERENCES fact_0010 (id),
    -- JSON; of a change: {"rev":2,"fields":{"vehicle":["a","b"],"address":null}}, residents' fields by name only.
    detail  TEXT
) STRICT;
INSERT INTO history_0010 SELECT id, pickup, at, kind, import, fact, detail FROM history ORDER BY id;

DROP TABLE history;
DROP TABLE fact;
ALTER TABLE fact_0010 RENAME TO fact;
ALTER TABLE history_0010 RENAME TO history;
CREATE INDEX history_pickup ON history (pickup, id, fact);

CREATE INDEX aside_entry ON aside (entry_id) WHERE entry_id IS NOT NULL;
-- The entry that a sample came with; of two samples under one id the first has it.
ALTER TABLE health ADD COLUMN entry_id BLOB;
CREATE UNIQUE INDEX health_entry ON health (entry_id) WHERE entry_id IS NOT NULL;
UPDATE OR IGNORE health SET entry_id =
    (SELECT id FROM entry WHERE entry.log = health.log AND entry.seq = health.seq);

-- A pickup keeps its place in the one index of a day's rounds whatever is said of it. It takes the place of two.
DROP INDEX pickup_day;
DROP INDEX pickup_round;
CREATE INDEX pickup_round
    ON pickup (date, contract, vehicle, stop, ward, state, reason, said_at, received_at, contradictions);

-- Who carries a round is asked with every fact.
CREATE INDEX terminal_round ON terminal (contract, vehicle);
