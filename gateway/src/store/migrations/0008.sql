-- When a pickup's residents' data was erased; it never comes back, whatever file names the pickup again.
ALTER TABLE pickup ADD COLUMN erased_at INTEGER;
CREATE INDEX pickup_unerased ON pickup (date) WHERE erased_at IS NULL;
CREATE TRIGGER resident_stays_erased BEFORE INSERT ON resident
WHEN (SELECT erased_at FROM pickup WHERE id = NEW.pickup) IS NOT NULL
BEGIN
    SELECT RAISE (IGNORE);
END;
CREATE INDEX note_received ON note (received_at);
-- What the office erased when, in counts: of pickups from before `before`.
CREATE TABLE erasure (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    before  TEXT NOT NULL,
    counts  TEXT NOT NULL
) STRICT;
-- The last time at which the office believed its clock.
ALTER TABLE office ADD COLUMN clock_seen_at INTEGER;
