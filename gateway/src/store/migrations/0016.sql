-- Signed configurations: contracts by day, key sets, the bundles of releases with what terminals said of them, and switchovers
-- (業者切替) with whoever took each of their steps.

-- The contracts of a vehicle, one after the other. `vehicle.contract` is the one of today; where there is none today, the next one,
-- else the last one.
CREATE TABLE vehicle_contract (
    vehicle  TEXT NOT NULL REFERENCES vehicle (id),
    contract TEXT NOT NULL REFERENCES contract (id),
    PRIMARY KEY (vehicle, contract)
) STRICT, WITHOUT ROWID;
INSERT INTO vehicle_contract SELECT id, contract FROM vehicle;

-- Key sets as they came, the first one taken on trust, each of the others because it followed.
CREATE TABLE key_set (
    version  INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL,
    -- SHA-256 of the envelope: the fingerprint.
    digest   BLOB NOT NULL,
    expires  INTEGER NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT;

-- Release files. One is staged, then switched: while it is 'staging' nothing of it counts.
CREATE TABLE release (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    version       INTEGER NOT NULL,
    name          TEXT NOT NULL,
    made_at       INTEGER NOT NULL,
    expires       INTEGER NOT NULL,
    -- The first instant at which a contract changes, by its bundles.
    switchover_at INTEGER,
    terminals     INTEGER NOT NULL,
    -- SHA-256 of the whole file.
    sha256        BLOB NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('staging', 'taken')),
    taken_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE bundle (
    id            INTEGER PRIMARY KEY,
    release       INTEGER NOT NULL REFERENCES release (id),
    terminal      TEXT NOT NULL REFERENCES terminal (id),
    version       INTEGER NOT NULL,
    -- SHA-256 of the envelope, by which terminals name it.
    digest        BLOB NOT NULL,
    -- What the terminal was bound to when it came.
    from_contract TEXT NOT NULL,
    from_vehicle  TEXT NOT NULL,
    -- Its place in the order in which terminals have their turn, from 0.
    place         INTEGER NOT NULL DEFAULT 0,
    -- When it was offered; also when the terminal said that it had it from elsewhere.
    offered_at    INTEGER,
    -- What the terminal said of it as a whole: nothing, 'verified' or 'refused', why, and when that was received.
    state         TEXT,
    why           TEXT,
    detail        TEXT,
    said_at       INTEGER,
    UNIQUE (terminal, version)
) STRICT;
CREATE INDEX bundle_release ON bundle (release, place, state, offered_at);

-- The envelopes, byte for byte. They stand by themselves, as they are long and never change.
CREATE TABLE bundle_body (
    bundle   INTEGER PRIMARY KEY REFERENCES bundle (id),
    envelope TEXT NOT NULL
) STRICT;

-- The configurations of a bundle, and what the terminal last said of each.
CREATE TABLE schedule (
    bundle   INTEGER NOT NULL REFERENCES bundle (id),
    position INTEGER NOT NULL,
    -- The instant from which it holds; NULL for at once.
    from_at  INTEGER,
    contract TEXT NOT NULL REFERENCES contract (id),
    vehicle  TEXT NOT NULL REFERENCES vehicle (id),
    state    TEXT,
    why      TEXT,
    detail   TEXT,
    said_at  INTEGER,
    PRIMARY KEY (bundle, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_round ON schedule (contract, vehicle);

-- The newest bundle that was offered and is not refused: what a terminal works under on a day is read from it. `position` is the
-- configuration of it that `contract` and `vehicle` have followed; while it holds, these say what counts.
ALTER TABLE terminal ADD COLUMN schedule INTEGER REFERENCES bundle (id);
ALTER TABLE terminal ADD COLUMN position INTEGER;
CREATE INDEX terminal_schedule ON terminal (schedule) WHERE schedule IS NOT NULL;

-- What terminals said of configurations, each id once, in the order in which it came. No pickup is in it.
CREATE TABLE config_event (
    id           BLOB PRIMARY KEY,
    log          INTEGER NOT NULL REFERENCES log (id),
    seq          INTEGER NOT NULL,
    terminal     TEXT NOT NULL REFERENCES terminal (id),
    version      INTEGER NOT NULL,
    digest       BLOB NOT NULL,
    state        TEXT NOT NULL,
    contract     TEXT,
    effective_at INTEGER,
    why          TEXT,
    detail       TEXT NOT NULL,
    -- The wire's body: JSON of proto FactBody.
    body         TEXT NOT NULL,
    -- The three clocks.
    terminal_at  INTEGER NOT NULL,
    gnss_at      INTEGER,
    trusted_at   INTEGER,
    received_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX config_event_terminal ON config_event (terminal, digest);

CREATE TABLE switchover (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL CHECK (kind IN ('switchover', 'correction')),
    name        TEXT NOT NULL,
    release     INTEGER NOT NULL UNIQUE REFERENCES release (id),
    -- The instant; NULL for a correction, which holds at once.
    at          INTEGER,
    state       TEXT NOT NULL
        CHECK (state IN ('draft', 'checked', 'approved', 'pushed', 'cut_over', 'closed', 'withdrawn')),
    -- How it is rolled out (JSON of Rollout), the group that has its turn, from 1, since when, and why it stands still.
    rollout     TEXT NOT NULL DEFAULT '{}',
    part        INTEGER NOT NULL DEFAULT 0,
    part_at     INTEGER,
    -- Terminals before this place have had their turn.
    upto        INTEGER NOT NULL DEFAULT 0,
    stopped_at  INTEGER,
    stopped_why TEXT,
    -- How many refusals somebody has seen and pushed on for all that.
    accepted    INTEGER NOT NULL DEFAULT 0,
    -- The newer one that it was withdrawn by.
    withdrawn_by INTEGER REFERENCES switchover (id),
    -- Whether what its instant asks of the office itself is done: open pickups of before are closed.
    settled_at  INTEGER
) STRICT;

-- Who did what to a switchover, when. Only ever added to.
CREATE TABLE switchover_step (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    switchover INTEGER NOT NULL REFERENCES switchover (id),
    at         INTEGER NOT NULL,
    step       TEXT NOT NULL,
    -- None where the gateway did it by itself.
    person     INTEGER REFERENCES person (id),
    -- Ids and numbers, as JSON.
    detail     TEXT
) STRICT;
CREATE INDEX switchover_step_of ON switchover_step (switchover, id);
CREATE TRIGGER switchover_step_stays BEFORE UPDATE ON switchover_step
BEGIN
    SELECT RAISE (ABORT, 'a step that was taken stays written down');
END;
CREATE TRIGGER switchover_step_is_kept BEFORE DELETE ON switchover_step
BEGIN
    SELECT RAISE (ABORT, 'a step that was taken stays written down');
END;
