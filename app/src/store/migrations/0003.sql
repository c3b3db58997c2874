-- Lists and notes are sealed by their contract's key (vault.rs). What stands here in plain is of a store that was written before;
-- it is sealed when the store is opened, and then it is NULL.

ALTER TABLE document ADD COLUMN sealed BLOB;

CREATE TABLE note_0003 (
    log    TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    digest BLOB NOT NULL,
    text   TEXT,
    sealed BLOB,
    PRIMARY KEY (log, seq)
) STRICT;
INSERT INTO note_0003 SELECT log, seq, digest, text, NULL FROM note;
DROP TABLE note;
ALTER TABLE note_0003 RENAME TO note;

-- How many PINs of a member in a row were wrong.
CREATE TABLE pin_wrong (
    member TEXT PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT;
