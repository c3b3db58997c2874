-- A request file is staged, then switched: its steps are written down in many small transactions, one small commit
-- decides that all of them are taken, and then they are applied and erased in many small transactions. What stands here
-- without a row in `taking` was never decided, and is erased at the next start.

-- One row from the decision until the last step is applied.
CREATE TABLE taking (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    import INTEGER NOT NULL REFERENCES import (id),
    source TEXT NOT NULL
) STRICT;

-- What is still to be done. Residents' data, erased as it is applied.
CREATE TABLE taking_step (
    id   INTEGER PRIMARY KEY,
    -- The request's key and all that the file says of it, as JSON; its position as the numbers that they are.
    key  TEXT,
    step TEXT,
    lat  REAL,
    lng  REAL,
    -- Instead of these: a pickup that is missing in the file.
    gone INTEGER,
    CHECK ((key IS NULL) = (step IS NULL) AND (key IS NULL) = (gone IS NOT NULL))
) STRICT;

-- A held file's content in parts; residents' data, erased once the import is settled. `import.content` is of imports
-- that were held before there were parts.
CREATE TABLE kept_part (
    kept    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (kept, part)
) STRICT;
ALTER TABLE import ADD COLUMN kept INTEGER;
CREATE INDEX import_kept ON import (kept) WHERE kept IS NOT NULL;
