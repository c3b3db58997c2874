-- People who sign in, what they sign in with, and other systems' tokens. Passwords, session tokens, recovery codes and API
-- tokens stand here as what can't be turned back; the secret of a second factor has to stand as it is.
CREATE TABLE person (
    -- Never used again: the audit log names people by it.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    login        TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('administrator', 'viewer', 'reception', 'dispatcher', 'auditor')),
    contractor   TEXT REFERENCES contractor (id),
    -- Argon2id, as a PHC string.
    password     TEXT NOT NULL,
    -- Whether it was drawn by somebody else and must be changed first.
    must_change  INTEGER NOT NULL CHECK (must_change IN (0, 1)),
    -- The second factor (RFC 6238), one that is being set up, and the last time step that was taken.
    totp         BLOB,
    totp_pending BLOB,
    totp_step    INTEGER NOT NULL DEFAULT 0,
    added_at     INTEGER NOT NULL,
    signed_in_at INTEGER,
    blocked_at   INTEGER,
    CHECK ((role = 'dispatcher') = (contractor IS NOT NULL))
) STRICT;

-- Codes that stand in for the second factor, each once; SHA-256.
CREATE TABLE recovery (
    person INTEGER NOT NULL REFERENCES person (id),
    sha256 BLOB NOT NULL,
    PRIMARY KEY (person, sha256)
) STRICT, WITHOUT ROWID;

-- Who is signed in: the SHA-256 of the token that the browser has.
CREATE TABLE session (
    sha256  BLOB PRIMARY KEY,
    person  INTEGER NOT NULL REFERENCES person (id),
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- Whether the second factor was given.
    second  INTEGER NOT NULL CHECK (second IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX session_person ON session (person);

-- Sign-ins that failed, by the SHA-256 of what was typed as login, whether anybody has it or not: what is told, and
-- the work that is done, is the same for both.
CREATE TABLE attempt (
    login_sha256 BLOB PRIMARY KEY,
    failures     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_last ON attempt (last_at);

-- Other systems.
CREATE TABLE token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    sha256     BLOB NOT NULL UNIQUE,
    -- What it opens, as a JSON array.
    scopes     TEXT NOT NULL,
    -- Whose pickups alone it sees.
    contractor TEXT REFERENCES contractor (id),
    made_at    INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

-- Under which contract the terminal worked when it was noted: what came under another contractor stays that one's. Of
-- rows from before it is not known, and only the city sees them.
ALTER TABLE aside ADD COLUMN contract TEXT REFERENCES contract (id);
ALTER TABLE notice ADD COLUMN contract TEXT REFERENCES contract (id);
