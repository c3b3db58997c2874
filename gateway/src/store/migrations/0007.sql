-- The catalogue (品目): what the city collects, as its own list names it. Public: it holds no resident's data.

-- Every file that changed it. The version of the catalogue is the last number.
CREATE TABLE catalogue_version (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    file    TEXT NOT NULL,
    sha256  BLOB NOT NULL,
    profile TEXT NOT NULL,
    -- Counts as JSON: items, added, changed, unchanged, gone, back.
    counts  TEXT NOT NULL
) STRICT;

-- Items as they are now; those that are gone stay for history.
CREATE TABLE catalogue_item (
    id        INTEGER PRIMARY KEY,
    -- What names it in the city's file.
    key       TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    -- よみ; empty where the file has none.
    reading   TEXT NOT NULL,
    -- 類似語 as a JSON array.
    synonyms  TEXT NOT NULL,
    -- Rule about its size; empty for none.
    size      TEXT NOT NULL,
    -- 納付券 as a JSON array, as on the wire.
    tickets   TEXT NOT NULL,
    -- Fee in yen, where the file says one.
    fee       INTEGER,
    accepted  INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    recycling INTEGER NOT NULL CHECK (recycling IN (0, 1)),
    -- Name, reading and synonyms folded for search, one a line; the name alone; what it is sorted by.
    found_by  TEXT NOT NULL,
    plain     TEXT NOT NULL,
    sorted_by TEXT NOT NULL,
    -- The version of its last change, and whether that was its end.
    version   INTEGER NOT NULL REFERENCES catalogue_version (version),
    gone      INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1))
) STRICT;
CREATE INDEX catalogue_plain ON catalogue_item (plain);
CREATE INDEX catalogue_sorted ON catalogue_item (gone, sorted_by, id);

-- What became of items: 'added', 'changed', 'gone', 'back'. `detail` of a change: {"fields":{"size":["a","b"]}}.
CREATE TABLE catalogue_history (
    version INTEGER NOT NULL REFERENCES catalogue_version (version),
    item    INTEGER NOT NULL REFERENCES catalogue_item (id),
    kind    TEXT NOT NULL,
    detail  TEXT,
    PRIMARY KEY (version, item)
) STRICT, WITHOUT ROWID;
