-- Crews sign in on their contractor's terminals; a lost terminal is erased; and what of whom was on which terminal.

CREATE TABLE crew (
    id         TEXT PRIMARY KEY,
    contractor TEXT NOT NULL REFERENCES contractor (id),
    name       TEXT NOT NULL,
    -- What the PIN opens, as on the wire (JSON of proto PinLock); the PIN is kept nowhere.
    lock       TEXT NOT NULL,
    set_at     INTEGER NOT NULL,
    -- Facts name whoever has left.
    removed_at INTEGER
) STRICT;
CREATE INDEX crew_contractor ON crew (contractor, id);

-- Since when it is lost, let in for nothing but its erasure; and when it said that it is erased.
ALTER TABLE terminal ADD COLUMN lost_at INTEGER;
ALTER TABLE terminal ADD COLUMN erased_at INTEGER;

-- Which pickups were on a list that was issued to a terminal, and when first and last.
CREATE TABLE issued (
    pickup   INTEGER NOT NULL REFERENCES pickup (id),
    terminal TEXT NOT NULL REFERENCES terminal (id),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (pickup, terminal)
) STRICT, WITHOUT ROWID;
-- Of lists that were issued before, as far as they are still there; when is not known.
INSERT OR IGNORE INTO issued
    SELECT pickup.id, document.terminal, 0, 0
    FROM document, json_each(document.body, '$.pickups') AS listed
    JOIN pickup ON pickup.uid = unhex(replace(listed.value ->> 'id', '-', ''))
    WHERE document.name LIKE 'list/%' AND document.body LIKE '{%';
