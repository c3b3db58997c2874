-- What the city keeps of each terminal as a thing, and who has had it from when; and when a system's token was last used.

-- One row a terminal, once somebody has written something down. Empty for what is not known.
CREATE TABLE terminal_record (
    terminal   TEXT PRIMARY KEY REFERENCES terminal (id),
    -- 備品番号, the SIM card's number (ICCID) and its line's.
    asset      TEXT NOT NULL,
    iccid      TEXT NOT NULL,
    line       TEXT NOT NULL,
    model      TEXT NOT NULL,
    serial     TEXT NOT NULL,
    remarks    TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX terminal_record_asset ON terminal_record (asset) WHERE asset <> '';
CREATE UNIQUE INDEX terminal_record_iccid ON terminal_record (iccid) WHERE iccid <> '';
CREATE UNIQUE INDEX terminal_record_line ON terminal_record (line) WHERE line <> '';

-- Handed over and given back: the newest row of a terminal says who has it. Only ever added to.
CREATE TABLE handing (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal   TEXT NOT NULL REFERENCES terminal (id),
    kind       TEXT NOT NULL CHECK (kind IN ('handover', 'return')),
    -- The business date of it, and when it was written down.
    day        TEXT NOT NULL,
    at         INTEGER NOT NULL,
    -- To or from whom: the contractor, and who signed for it.
    contractor TEXT NOT NULL REFERENCES contractor (id),
    person     TEXT NOT NULL,
    -- What went with it, as a JSON array.
    things     TEXT NOT NULL
) STRICT;
CREATE INDEX handing_terminal ON handing (terminal, id);
CREATE TRIGGER handing_stays BEFORE UPDATE ON handing
BEGIN
    SELECT RAISE (ABORT, 'what was handed over stays written down');
END;
CREATE TRIGGER handing_is_kept BEFORE DELETE ON handing
BEGIN
    SELECT RAISE (ABORT, 'what was handed over stays written down');
END;

ALTER TABLE token ADD COLUMN used_at INTEGER;
