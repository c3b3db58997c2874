-- A small day in a store of schema 17. Kept for tests; never changed.
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE office (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    city        TEXT NOT NULL,
    incarnation BLOB NOT NULL,
    -- Counts starts; beside it a file says the same, so that a copied-back store is recognised.
    generation  INTEGER NOT NULL
, clock_seen_at INTEGER) STRICT;
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
, lost_at INTEGER, erased_at INTEGER, schedule INTEGER REFERENCES bundle (id), position INTEGER) STRICT;
CREATE TABLE log (
    id        INTEGER PRIMARY KEY,
    terminal  TEXT NOT NULL REFERENCES terminal (id),
    kind      TEXT NOT NULL CHECK (kind IN ('fact', 'track')),
    epoch     BLOB NOT NULL,
    held      INTEGER NOT NULL DEFAULT 0,
    digest    BLOB NOT NULL,
    opened_at INTEGER NOT NULL, forked_at INTEGER,
    UNIQUE (terminal, kind, epoch)
) STRICT;
CREATE TABLE hole (
    log        INTEGER NOT NULL REFERENCES log (id),
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    PRIMARY KEY (log, first_seq)
) STRICT, WITHOUT ROWID;
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
, source TEXT, days TEXT, kept INTEGER) STRICT;
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
    contradictions TEXT, erased_at INTEGER,
    UNIQUE (source, source_key)
) STRICT;
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
CREATE TABLE note (
    sha256      BLOB PRIMARY KEY,
    text        TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
, same BLOB, contract TEXT REFERENCES contract (id)) STRICT;
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    terminal   TEXT,
    detail     TEXT NOT NULL,
    settled_at INTEGER
, contract TEXT REFERENCES contract (id)) STRICT;
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
CREATE TABLE health (
    log        INTEGER NOT NULL REFERENCES log (id),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    app        TEXT NOT NULL,
    waiting    INTEGER NOT NULL,
    free_bytes INTEGER, entry_id BLOB,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE taking (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    import INTEGER NOT NULL REFERENCES import (id),
    source TEXT NOT NULL
) STRICT;
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
CREATE TABLE kept_part (
    kept    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (kept, part)
) STRICT;
CREATE TABLE catalogue_version (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    file    TEXT NOT NULL,
    sha256  BLOB NOT NULL,
    profile TEXT NOT NULL,
    -- Counts as JSON: items, added, changed, unchanged, gone, back.
    counts  TEXT NOT NULL
) STRICT;
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
CREATE TABLE catalogue_history (
    version INTEGER NOT NULL REFERENCES catalogue_version (version),
    item    INTEGER NOT NULL REFERENCES catalogue_item (id),
    kind    TEXT NOT NULL,
    detail  TEXT,
    PRIMARY KEY (version, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE erasure (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    before  TEXT NOT NULL,
    counts  TEXT NOT NULL
) STRICT;
CREATE TABLE "entry" (
    log         INTEGER NOT NULL REFERENCES log (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    digest      BLOB NOT NULL,
    body        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT;
CREATE TABLE "fact" (
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
CREATE TABLE "history" (
    id      INTEGER PRIMARY KEY,
    pickup  INTEGER NOT NULL REFERENCES pickup (id),
    at      INTEGER NOT NULL,
    -- 'added','changed','cancelled','reinstated','outcome','undo'.
    kind    TEXT NOT NULL,
    -- Of an office row: the import. Of a fact: its id.
    import  INTEGER REFERENCES import (id),
    fact    BLOB REFERENCES "fact" (id),
    -- JSON; of a change: {"rev":2,"fields":{"vehicle":["a","b"],"address":null}}, residents' fields by name only.
    detail  TEXT
) STRICT;
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
    blocked_at   INTEGER, password_until INTEGER,
    CHECK ((role = 'dispatcher') = (contractor IS NOT NULL))
) STRICT;
CREATE TABLE recovery (
    person INTEGER NOT NULL REFERENCES person (id),
    sha256 BLOB NOT NULL,
    PRIMARY KEY (person, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    sha256  BLOB PRIMARY KEY,
    person  INTEGER NOT NULL REFERENCES person (id),
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- Whether the second factor was given.
    second  INTEGER NOT NULL CHECK (second IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
    login_sha256 BLOB PRIMARY KEY,
    failures     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
, used_at INTEGER) STRICT;
CREATE TABLE certificate (
    -- Its number, in hexadecimal digits.
    serial       TEXT PRIMARY KEY,
    terminal     TEXT NOT NULL REFERENCES terminal (id),
    -- The terminal's public key: a point of P-256, uncompressed.
    public_key   BLOB NOT NULL,
    -- SHA-256 of the request that it answers: one that comes again gets the same.
    request      BLOB NOT NULL,
    pem          TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    -- When the terminal first came in by it.
    connected_at INTEGER,
    -- Since when it is not taken any more, though it may not be over: another one has taken its place.
    ended_at     INTEGER
) STRICT;
CREATE TABLE enrolment (
    id       INTEGER PRIMARY KEY,
    -- The code's first digits, which may be told.
    name     TEXT NOT NULL,
    terminal TEXT NOT NULL REFERENCES terminal (id),
    -- What the terminal proves to have; none once it is over.
    code_key BLOB,
    made_at  INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    used_at  INTEGER,
    serial   TEXT REFERENCES certificate (serial)
) STRICT;
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
CREATE TABLE issued (
    pickup   INTEGER NOT NULL REFERENCES pickup (id),
    terminal TEXT NOT NULL REFERENCES terminal (id),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (pickup, terminal)
) STRICT, WITHOUT ROWID;
CREATE TABLE identity (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    person  INTEGER NOT NULL UNIQUE REFERENCES person (id),
    made_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE vehicle_contract (
    vehicle  TEXT NOT NULL REFERENCES vehicle (id),
    contract TEXT NOT NULL REFERENCES contract (id),
    PRIMARY KEY (vehicle, contract)
) STRICT, WITHOUT ROWID;
CREATE TABLE key_set (
    version  INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL,
    -- SHA-256 of the envelope: the fingerprint.
    digest   BLOB NOT NULL,
    expires  INTEGER NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT;
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
CREATE TABLE bundle_body (
    bundle   INTEGER PRIMARY KEY REFERENCES bundle (id),
    envelope TEXT NOT NULL
) STRICT;
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
INSERT INTO office VALUES (1,'hiroshima',X'63F88A683DF341CC8288FAE32DFC7A5A',12,NULL);
INSERT INTO contractor VALUES ('k1','第一収集');
INSERT INTO contract VALUES ('c-1','k1','2000-01-01','2099-12-31');
INSERT INTO contract VALUES ('c-2','k1','2000-01-01','2099-12-31');
INSERT INTO vehicle VALUES ('v1','c-1','1号車','中区A');
INSERT INTO vehicle VALUES ('v2','c-2','2号車','中区B');
INSERT INTO terminal VALUES ('t-1','c-1','v1',X'3288E776F867935FFF43900F494853FC3FDB545B7C6597C4487CD1EFB4A6AAC8',1795945537915,NULL,1,1795945537955,X'F29934CA2AEB4D86BA17B52F59431DD2','kept',0,NULL,NULL,NULL,NULL,NULL,1,0);
INSERT INTO terminal VALUES ('t-2','c-1','v1',X'18A27AB6E690C14481B70F0E8C828D4349B232AC05CA1E7FE5000522BC20D460',1795945537928,NULL,0,1795945537961,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-3','c-2','v2',X'6371DE0C4DB7B7A587D0D2F9C696C0EA08A06BEDDDDC40FE836964C50F845087',1795945537944,NULL,1,1795945537965,X'C776B359ADC4427FB28484E475BF9ECD','kept',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO log VALUES (1,'t-1','fact',X'A47CF84F187845A8B3CE19D9736C5B78',8,X'014487FC9CDF96504B2AC85430D22A0D5CA7C4F8EB2008B8139D745627E14B7C',1795945537958,NULL);
INSERT INTO log VALUES (2,'t-2','fact',X'4E74255C425243ADAD81A3EF86C064FA',2,X'65EB7475CF36F4525660700688C9B275CA1982D084448B8E273CA9EDF02B036E',1795945537961,1795945537965);
INSERT INTO log VALUES (3,'t-3','fact',X'50397D9E55E842E480BCC56E27F5EF61',2,X'8467A3162AF67DF22ECB01087C675543F40BEB61C8D8A873D461F892E9225992',1795945537965,NULL);
INSERT INTO log VALUES (4,'t-1','track',X'FC3D9BF2535D43A1834DB1AEB5D92E1C',1,X'74AD4B031A6826A86EE0DD373BBC3A33B8D2F1514D1D27B88F4C0082E82543D2',1795945537965,NULL);
INSERT INTO hole VALUES (3,1,2,1795945537965);
INSERT INTO import VALUES (1,1795945537879,'day.csv',X'88DAB4D3C6D2429FBDCEBDE254056A2FE84BF88C1CE875E241586DEE8F8DC51D','whole days','applied','{"added":12,"cancelled":0,"changed":0,"lines":12,"reinstated":0,"reordered":0,"requests":12,"skipped":0,"unchanged":0}',NULL,NULL,NULL,'kept','["2026-11-29"]',NULL);
INSERT INTO import VALUES (2,1795945537902,'day.csv',X'D79511708D99905FC77418000DD368D24C01D492EFCABEF3C2E4DD2C452343F2','whole days','held','{"added":0,"cancelled":11,"changed":0,"lines":1,"reinstated":0,"reordered":0,"requests":1,"skipped":0,"unchanged":1}','[{"date":"2026-11-29","missing":11,"planned":12}]',NULL,'# days: 

name = "whole days"
source = "kept"
covers = "whole_day"
key = ["no"]
[fields]
date = "date"
district = "district"
reception = "no"
town = "town"
[items.text]
text = "items"
between = ["、"]
times = ["×"]
','kept','["2026-11-29"]',1);
INSERT INTO pickup VALUES (1,X'CF277259C2208AD2AF4F74859A68BB3C','kept','0001','2026-11-29','中区A','中区','c-1','v1',1,'0001','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'collected',NULL,X'01A226B221A27276B7366E5A04B5A432','t-1',1795945537954,1795945537958,'["terminals_differ"]',NULL);
INSERT INTO pickup VALUES (2,X'5B0015FF4E7E8586A9D7258FAFC35C44','kept','0002','2026-11-29','中区A','中区','c-1','v1',2,'0002','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (3,X'42097FA3467F8D8F915F2925172640D2','kept','0003','2026-11-29','中区A','中区','c-1','v1',3,'0003','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'not_collected','other',X'01A226B221A370258DC5142C4E5E22BD','t-1',1795945537954,1795945537958,NULL,NULL);
INSERT INTO pickup VALUES (4,X'F5D94BAFC1D08270AC6230EE45E255B8','kept','0004','2026-11-29','中区A','中区','c-1','v1',4,'0004','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'partly','ticket_short',X'01A226B221A370258DC5142D973CA4B7','t-1',1795945537955,1795945537958,NULL,NULL);
INSERT INTO pickup VALUES (5,X'67002A53B1D8848E81F5316289741874','kept','0005','2026-11-29','中区A','中区','c-1','v1',5,'0005','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (6,X'DA40EC5718D288AE9CA033A54C311374','kept','0006','2026-11-29','中区A','中区','c-1','v1',6,'0006','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (7,X'FF383FDEEA6089639E165A35831BE821','kept','0007','2026-11-29','中区A','中区','c-1','v1',7,'0007','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (8,X'0E91CCA6689985828A9E13E357BC59C1','kept','0008','2026-11-29','中区A','中区','c-1','v1',8,'0008','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (9,X'17F0617C24728B8293F25ACF4D5D3C35','kept','0009','2026-11-29','中区A','中区','c-1','v1',9,'0009','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (10,X'FE3B036774BC819CAB9FB4FE771E7F22','kept','0010','2026-11-29','中区A','中区','c-1','v1',10,'0010','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (11,X'4A2FCB68541189DD9CB7C19B299BCFD2','kept','0011','2026-11-29','中区A','中区','c-1','v1',11,'0011','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (12,X'C07118B733098589AF5ACC8EE0DD2589','kept','0012','2026-11-29','中区A','中区','c-1','v1',12,'0012','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO resident VALUES (1,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (2,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (3,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (4,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (5,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (6,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (7,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (8,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (9,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (10,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (11,1,'本川町','','','','',NULL,NULL);
INSERT INTO resident VALUES (12,1,'本川町','','','','',NULL,NULL);
INSERT INTO note VALUES (X'E14AC1011F617DF3D59B710F2140DEB288830CABD0139BB8FDCCB00140257830','門が閉まっています',1795945538015);
INSERT INTO aside VALUES (1,1795945537958,'meguri/1/hiroshima/t-1/up/fact','t-1',1,6,X'01A226B221A370258DC5142E636CF7F8','fact body has version 9, this program speaks 1',X'7B2276223A392C226E657773223A747275657D',19,NULL,NULL,NULL,'c-1');
INSERT INTO aside VALUES (2,1795945537958,'meguri/1/hiroshima/t-1/up/fact','t-1',1,7,X'01A226B221A4735784835246E45ADABB','the pickup is unknown',X'7B2276223A312C22636F6E7472616374223A22632D31222C22636F6E666967223A312C226174223A7B227465726D696E616C223A22323032362D31312D32395430393A34353A33372E3935363538313431315A227D2C2266616374223A7B226F7574636F6D65223A7B227069636B7570223A2230303030303030302D303030302D303030302D303030302D303030303030303030303633222C226C697374223A7B2264617465223A22323032362D31312D3239222C2276657273696F6E223A317D2C22726573756C74223A22636F6C6C6563746564227D7D7D',217,NULL,NULL,NULL,'c-1');
INSERT INTO notice VALUES (1,1795945537902,'import_held',NULL,'{"import":2}',NULL,NULL);
INSERT INTO notice VALUES (2,1795945537965,'fork','t-2','{"count":1,"epoch":"4e74255c-4252-43ad-ad81-a3ef86c064fa","log":"fact"}',NULL,'c-1');
INSERT INTO notice VALUES (3,1795945537965,'hole','t-3','{"epoch":"50397d9e-55e8-42e4-80bc-c56e27f5ef61","first":1,"last":2,"log":"fact"}',NULL,'c-2');
INSERT INTO notice VALUES (4,1795945537972,'keys_first',NULL,'{"fingerprint":"df39dda12d5cc4026c000c3f38b954514d3e63980567bfd118ecc78c5475dca3","version":1}',NULL,NULL);
INSERT INTO document VALUES ('t-1','config',1,X'787872511C1AC7C8DBE402E287BCC34F7CED96301F5149407E087B861C4745AA',X'787872511C1AC7C8DBE402E287BCC34F7CED96301F5149407E087B861C4745AA','{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiZXhwaXJlcyI6IjIwMjktMTItMzFUMDA6MDA6MDBaIiwibWFkZV9hdCI6IjIwMjYtMTEtMDFUMDA6MDA6MDBaIiwic2NoZWR1bGUiOlt7ImJyb2tlciI6eyJob3N0Ijoib2ZmaWNlLmV4YW1wbGUiLCJwb3J0Ijo4ODgzfSwiY29udHJhY3QiOiJjLTEiLCJjb250cmFjdG9yIjoiazEiLCJjb250cmFjdG9yX25hbWUiOiLmpa3ogIUiLCJyZWFzb24iOlt7ImNvZGUiOiJub3Rfb3V0Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InRpY2tldF9zaG9ydCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJvdGhlcl9pdGVtIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im90aGVyX2NvdW50Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vdF9hcHBsaWVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InBsYWNlX25vdF9mb3VuZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJhY2Nlc3NfYmxvY2tlZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJ1bnNhZmUiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoibm90X2FjY2VwdGVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vX3JlY3ljbGluZ190aWNrZXQiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoiYnVzaW5lc3MiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoib3RoZXIiLCJub3RlIjp0cnVlfV0sInJldGVudGlvbiI6eyJhY2tlZF9kYXlzIjoxNCwibGlzdF9kYXlzIjo3fSwicm91bmQiOiLjgrPjg7zjgrkiLCJzY3JlZW4iOnsiZnVsbHNjcmVlbiI6ZmFsc2UsImxhbmd1YWdlIjoiamEiLCJsb2NrX21pbnV0ZXMiOjE1LCJ0aGVtZSI6ImRheSJ9LCJ0aW1lcnMiOnsiaGVhbHRoIjo5MDAuMCwiaGVsbG8iOjMwMC4wLCJqb2luIjoxNS4wLCJrZWVwX2FsaXZlIjozMC4wLCJwZXJpcGhlcmFscyI6NjAuMCwicmVjb25uZWN0IjoxLjAsInJlY29ubmVjdF9tb3N0IjozMC4wLCJzaWxlbmNlIjozMC4wLCJzaWxlbmNlX21vc3QiOjMwMC4wLCJzdGlja3MiOjUuMCwidHJpYWwiOjkwMC4wfSwidmVoaWNsZSI6InYxIiwidmVoaWNsZV9uYW1lIjoi5Y+36LuKIn1dLCJ0ZXJtaW5hbCI6InQtMSIsInYiOjEsInZlcnNpb24iOjIwMjZ9","payloadType":"application/vnd.meguri.bundle.v1+json","signatures":[{"keyid":"fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55","sig":"D3f22pP0DWkLdNVPbFleeMoK8D3DMa2gStlj9uV7Rf/PCmbmiw4QRc7Om1qD4xpIgXR54FbrthodEX3BOwKqCA=="},{"keyid":"ed23d853125a3acff2782dddf84e018ebc85942ebf328ff1287202a479964207","sig":"d0/p4y0LWdYv0dU1EA9OWH02MMsuDPiRnkbBy3FAkVqCYIPcNnhAYA+WjbdrIoyqfziLzy1V6PLlJ8azibjNAQ=="}]}');
INSERT INTO document VALUES ('t-1','keys',1,X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E',X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E','{"v":1,"sets":[{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiY29uZmlnIjp7ImtleXMiOlsiZmRmNzJhMDg4ZjE4ZjczOTllOGM1MmJjZTQ0ODQ0MTUwMWY3NTlhNTk1YTg2OTgwZTVkOWE0MjJhMDFlNWQ1NSIsImVkMjNkODUzMTI1YTNhY2ZmMjc4MmRkZGY4NGUwMThlYmM4NTk0MmViZjMyOGZmMTI4NzIwMmE0Nzk5NjQyMDciXSwidGhyZXNob2xkIjoyfSwiZXhwaXJlcyI6IjIwMzAtMDEtMDFUMDA6MDA6MDBaIiwia2V5cyI6W3sibmFtZSI6IumNtTEiLCJwdWJsaWMiOiI4YTg4ZTNkZDc0MDlmMTk1ZmQ1MmRiMmQzY2JhNWQ3MmNhNjcwOWJmMWQ5NDEyMWJmMzc0ODgwMWI0MGY2ZjVjIn0seyJuYW1lIjoi6Y21MiIsInB1YmxpYyI6IjgxMzk3NzBlYTg3ZDE3NWY1NmEzNTQ2NmMzNGM3ZWNjY2I4ZDhhOTFiNGVlMzdhMjVkZjYwZjViOGZjOWIzOTQifSx7Im5hbWUiOiLpjbUxMSIsInB1YmxpYyI6IjY2YmU3ZTMzMmM3YTQ1MzMzMmJkOWQwYTdmN2RiMDU1ZjVjNWVmMWEwNmFkYTY2ZDk4YjM5ZmI2ODEwYzQ3M2EifSx7Im5hbWUiOiLpjbUxMiIsInB1YmxpYyI6IjBiNTEzYWQ5YjQ5MjQwMTVjYTA5MDJlZDA3OTA0NGQzYWM1ZGJlYzIzMDZmMDY5NDhjMTBkYThlYjZlMzlmMmQifV0sInJvb3QiOnsia2V5cyI6WyIzNDc1MGY5OGJkNTlmY2ZjOTQ2ZGE0NWFhYWJlOTMzYmUxNTRhNGI1MDk0ZTFjNGFiZjQyODY2NTA1ZjNjOTdlIiwiNmEzODAzZDVmMDU5OTAyYTFjNmRhZmJjOWJhNDcyOTIxMmY3Y2FhYzA4NjM0Y2MzYWU3NmIyNzUyOWYwMzgyNyJdLCJ0aHJlc2hvbGQiOjJ9LCJ2IjoxLCJ2ZXJzaW9uIjoxfQ==","payloadType":"application/vnd.meguri.keys.v1+json","signatures":[{"keyid":"34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e","sig":"2NBlGLjSypHQmOARZgBPMcyQmDfcyi3M/BqRtTAAjDgRR4rs1xf0GYX6isdueKpPRDxxdMZIIpQYDf5e6n+SDQ=="},{"keyid":"6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827","sig":"5HP8CCWenPWN4X7w9wNGb32dhQmyNDP7T0AEQ1sa0e5q3wfrKH8fgvb4ykg9VSGRTqd7XAvwNAqEbURarAi6Dw=="}]}]}');
INSERT INTO document VALUES ('t-1','list/c-1/2026-11-29',2,X'DB83DB794E72E9DB80F854A58B43EFB92271E00F08C272D64A2A4DD6F9F3FCDE',X'0452D5CA39241D9DA3F41BFB5F0D30B75E3F46D0EC87710D27507CD5A52A8C44','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[{"epoch":"a47cf84f-1878-45a8-b3ce-19d9736c5b78","seq":7}],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a226b2-21a8-769f-8153-d7ef63c4970b","terminal":"t-2","at":"2026-11-29T09:45:37.960399697Z","result":{"not_collected":{"reason":"not_out"}}}],"own":{"fact":"01a226b2-21a2-7276-b736-6e5a04b5a432","terminal":"t-1","at":"2026-11-29T09:45:37.954869132Z","result":"collected"}},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a226b2-21a3-7025-8dc5-142c4e5e22bd","terminal":"t-1","at":"2026-11-29T09:45:37.954995709Z","result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a226b2-21a3-7025-8dc5-142d973ca4b7","terminal":"t-1","at":"2026-11-29T09:45:37.95502396Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO document VALUES ('t-2','keys',1,X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E',X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E','{"v":1,"sets":[{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiY29uZmlnIjp7ImtleXMiOlsiZmRmNzJhMDg4ZjE4ZjczOTllOGM1MmJjZTQ0ODQ0MTUwMWY3NTlhNTk1YTg2OTgwZTVkOWE0MjJhMDFlNWQ1NSIsImVkMjNkODUzMTI1YTNhY2ZmMjc4MmRkZGY4NGUwMThlYmM4NTk0MmViZjMyOGZmMTI4NzIwMmE0Nzk5NjQyMDciXSwidGhyZXNob2xkIjoyfSwiZXhwaXJlcyI6IjIwMzAtMDEtMDFUMDA6MDA6MDBaIiwia2V5cyI6W3sibmFtZSI6IumNtTEiLCJwdWJsaWMiOiI4YTg4ZTNkZDc0MDlmMTk1ZmQ1MmRiMmQzY2JhNWQ3MmNhNjcwOWJmMWQ5NDEyMWJmMzc0ODgwMWI0MGY2ZjVjIn0seyJuYW1lIjoi6Y21MiIsInB1YmxpYyI6IjgxMzk3NzBlYTg3ZDE3NWY1NmEzNTQ2NmMzNGM3ZWNjY2I4ZDhhOTFiNGVlMzdhMjVkZjYwZjViOGZjOWIzOTQifSx7Im5hbWUiOiLpjbUxMSIsInB1YmxpYyI6IjY2YmU3ZTMzMmM3YTQ1MzMzMmJkOWQwYTdmN2RiMDU1ZjVjNWVmMWEwNmFkYTY2ZDk4YjM5ZmI2ODEwYzQ3M2EifSx7Im5hbWUiOiLpjbUxMiIsInB1YmxpYyI6IjBiNTEzYWQ5YjQ5MjQwMTVjYTA5MDJlZDA3OTA0NGQzYWM1ZGJlYzIzMDZmMDY5NDhjMTBkYThlYjZlMzlmMmQifV0sInJvb3QiOnsia2V5cyI6WyIzNDc1MGY5OGJkNTlmY2ZjOTQ2ZGE0NWFhYWJlOTMzYmUxNTRhNGI1MDk0ZTFjNGFiZjQyODY2NTA1ZjNjOTdlIiwiNmEzODAzZDVmMDU5OTAyYTFjNmRhZmJjOWJhNDcyOTIxMmY3Y2FhYzA4NjM0Y2MzYWU3NmIyNzUyOWYwMzgyNyJdLCJ0aHJlc2hvbGQiOjJ9LCJ2IjoxLCJ2ZXJzaW9uIjoxfQ==","payloadType":"application/vnd.meguri.keys.v1+json","signatures":[{"keyid":"34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e","sig":"2NBlGLjSypHQmOARZgBPMcyQmDfcyi3M/BqRtTAAjDgRR4rs1xf0GYX6isdueKpPRDxxdMZIIpQYDf5e6n+SDQ=="},{"keyid":"6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827","sig":"5HP8CCWenPWN4X7w9wNGb32dhQmyNDP7T0AEQ1sa0e5q3wfrKH8fgvb4ykg9VSGRTqd7XAvwNAqEbURarAi6Dw=="}]}]}');
INSERT INTO document VALUES ('t-2','list/c-1/2026-11-29',1,X'985E477564BE2BA1554CDD09E46FBC7EF75FFC98F7D5B0D3D57B73CAF6463619',X'985E477564BE2BA1554CDD09E46FBC7EF75FFC98F7D5B0D3D57B73CAF6463619','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a226b2-21a2-7276-b736-6e5a04b5a432","terminal":"t-1","at":"2026-11-29T09:45:37.954869132Z","result":"collected"}]},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a226b2-21a3-7025-8dc5-142c4e5e22bd","terminal":"t-1","at":"2026-11-29T09:45:37.954995709Z","result":{"not_collected":{"reason":"other"}}}]},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a226b2-21a3-7025-8dc5-142d973ca4b7","terminal":"t-1","at":"2026-11-29T09:45:37.95502396Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}]},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO document VALUES ('t-3','keys',1,X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E',X'2EC0F900F37F0B618E72290C1CC1D9D28B3B58048DEFAC58E5920DE2759B548E','{"v":1,"sets":[{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiY29uZmlnIjp7ImtleXMiOlsiZmRmNzJhMDg4ZjE4ZjczOTllOGM1MmJjZTQ0ODQ0MTUwMWY3NTlhNTk1YTg2OTgwZTVkOWE0MjJhMDFlNWQ1NSIsImVkMjNkODUzMTI1YTNhY2ZmMjc4MmRkZGY4NGUwMThlYmM4NTk0MmViZjMyOGZmMTI4NzIwMmE0Nzk5NjQyMDciXSwidGhyZXNob2xkIjoyfSwiZXhwaXJlcyI6IjIwMzAtMDEtMDFUMDA6MDA6MDBaIiwia2V5cyI6W3sibmFtZSI6IumNtTEiLCJwdWJsaWMiOiI4YTg4ZTNkZDc0MDlmMTk1ZmQ1MmRiMmQzY2JhNWQ3MmNhNjcwOWJmMWQ5NDEyMWJmMzc0ODgwMWI0MGY2ZjVjIn0seyJuYW1lIjoi6Y21MiIsInB1YmxpYyI6IjgxMzk3NzBlYTg3ZDE3NWY1NmEzNTQ2NmMzNGM3ZWNjY2I4ZDhhOTFiNGVlMzdhMjVkZjYwZjViOGZjOWIzOTQifSx7Im5hbWUiOiLpjbUxMSIsInB1YmxpYyI6IjY2YmU3ZTMzMmM3YTQ1MzMzMmJkOWQwYTdmN2RiMDU1ZjVjNWVmMWEwNmFkYTY2ZDk4YjM5ZmI2ODEwYzQ3M2EifSx7Im5hbWUiOiLpjbUxMiIsInB1YmxpYyI6IjBiNTEzYWQ5YjQ5MjQwMTVjYTA5MDJlZDA3OTA0NGQzYWM1ZGJlYzIzMDZmMDY5NDhjMTBkYThlYjZlMzlmMmQifV0sInJvb3QiOnsia2V5cyI6WyIzNDc1MGY5OGJkNTlmY2ZjOTQ2ZGE0NWFhYWJlOTMzYmUxNTRhNGI1MDk0ZTFjNGFiZjQyODY2NTA1ZjNjOTdlIiwiNmEzODAzZDVmMDU5OTAyYTFjNmRhZmJjOWJhNDcyOTIxMmY3Y2FhYzA4NjM0Y2MzYWU3NmIyNzUyOWYwMzgyNyJdLCJ0aHJlc2hvbGQiOjJ9LCJ2IjoxLCJ2ZXJzaW9uIjoxfQ==","payloadType":"application/vnd.meguri.keys.v1+json","signatures":[{"keyid":"34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e","sig":"2NBlGLjSypHQmOARZgBPMcyQmDfcyi3M/BqRtTAAjDgRR4rs1xf0GYX6isdueKpPRDxxdMZIIpQYDf5e6n+SDQ=="},{"keyid":"6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827","sig":"5HP8CCWenPWN4X7w9wNGb32dhQmyNDP7T0AEQ1sa0e5q3wfrKH8fgvb4ykg9VSGRTqd7XAvwNAqEbURarAi6Dw=="}]}]}');
INSERT INTO health VALUES (4,1,1795945537964,'kept',0,1073741824,X'01A226B221AC761A91D79D78FBAC99BB');
INSERT INTO kept_part VALUES (1,0,X'6E6F2C646174652C64697374726963742C746F776E2C6974656D730A303030312C323032362D31312D32392CE4B8ADE58CBA412CE69CACE5B79DE794BA2CE382BFE383B3E382B9C39731E38081E6A485E5AD90C397320A');
INSERT INTO entry VALUES (1,1,X'01A226B221A27276B7366E5A04B5A432',X'9D57B98435DD101B2777786222876FEC6C07671202BA6E6DF03491CAEAE6922C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954869132Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795945537958);
INSERT INTO entry VALUES (1,2,X'01A226B221A27276B7366E5BC88E2229',X'DD069839840BEE10908705BE30DCB768EC93AA7F361B3C44BBF9ABA35DEDC942','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954962233Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795945537958);
INSERT INTO entry VALUES (1,3,X'01A226B221A27276B7366E5CCE2A9472',X'AC49EBD1A67F9AD68F6E080D60BF9F007A53448537933FE8DC3638BFE08AD43B','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.95498163Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a226b2-21a2-7276-b736-6e5bc88e2229"}}}',1795945537958);
INSERT INTO entry VALUES (1,4,X'01A226B221A370258DC5142C4E5E22BD',X'0D8D306945D0C12F76466A083C6BB96F922B1B014566D2A23AF6BDF839923D0B','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954995709Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795945537958);
INSERT INTO entry VALUES (1,5,X'01A226B221A370258DC5142D973CA4B7',X'44448A72054881BE296A44E912BA7B22CE6B2DEA7E45373DCB45DB24CA4C4DC9','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.95502396Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795945537958);
INSERT INTO entry VALUES (1,6,X'01A226B221A370258DC5142E636CF7F8',X'620E8C48DB4766B9658292A3702C13A54C8AC3B0E53E0A605E85703C338FC1AF','{"v":9,"news":true}',1795945537958);
INSERT INTO entry VALUES (1,7,X'01A226B221A4735784835246E45ADABB',X'E34C2F8DB2B57EDB1FB942BB2E9C5556122C7BB125A93388014327307B9DDC0C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.956581411Z"},"fact":{"outcome":{"pickup":"00000000-0000-0000-0000-000000000063","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795945537958);
INSERT INTO entry VALUES (2,1,X'01A226B221A8769F8153D7EF63C4970B',X'697D1B7D9CD31A8C0099829165F0CD43EBAA3DCCC65388D415CE73BFE2908F3C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.960399697Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795945537961);
INSERT INTO entry VALUES (4,1,X'01A226B221AC761A91D79D78FBAC99BB',X'74AD4B031A6826A86EE0DD373BBC3A33B8D2F1514D1D27B88F4C0082E82543D2','{"v":1,"at":{"terminal":"2026-11-29T09:45:37.964034611Z"},"track":{"health":{"app":"kept","waiting":0,"free_bytes":1073741824}}}',1795945537965);
INSERT INTO entry VALUES (1,8,X'01A226B221DD7770ACE0464EB17CC250',X'014487FC9CDF96504B2AC85430D22A0D5CA7C4F8EB2008B8139D745627E14B7C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:38.013821456Z"},"fact":{"config":{"version":2026,"bundle":"787872511c1ac7c8dbe402e287bcc34f7ced96301f5149407e087b861c4745aa","state":"verified"}}}',1795945538015);
INSERT INTO entry VALUES (2,2,X'01A226B221DE7211A78A6E83CDE4CF01',X'65EB7475CF36F4525660700688C9B275CA1982D084448B8E273CA9EDF02B036E','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:38.014295969Z"},"fact":{"config":{"version":2026,"bundle":"2d72150a4a7149057f235b3b04c6860626d947c52fe11d0a399901c8841a7b7e","state":"refused","why":"expired"}}}',1795945538015);
INSERT INTO fact VALUES (X'01A226B221A27276B7366E5A04B5A432',1,1,'t-1',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954869132Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795945537954,NULL,NULL,1795945537958);
INSERT INTO fact VALUES (X'01A226B221A27276B7366E5BC88E2229',1,2,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954962233Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795945537954,NULL,NULL,1795945537958);
INSERT INTO fact VALUES (X'01A226B221A27276B7366E5CCE2A9472',1,3,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.95498163Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a226b2-21a2-7276-b736-6e5bc88e2229"}}}',1795945537954,NULL,NULL,1795945537958);
INSERT INTO fact VALUES (X'01A226B221A370258DC5142C4E5E22BD',1,4,'t-1',3,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.954995709Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795945537954,NULL,NULL,1795945537958);
INSERT INTO fact VALUES (X'01A226B221A370258DC5142D973CA4B7',1,5,'t-1',4,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.95502396Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795945537955,NULL,NULL,1795945537958);
INSERT INTO fact VALUES (X'01A226B221A8769F8153D7EF63C4970B',2,1,'t-2',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:37.960399697Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795945537960,NULL,NULL,1795945537961);
INSERT INTO history VALUES (1,1,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (2,2,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (3,3,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (4,4,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (5,5,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (6,6,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (7,7,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (8,8,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (9,9,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (10,10,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (11,11,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (12,12,1795945537879,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (13,1,1795945537958,'outcome',NULL,X'01A226B221A27276B7366E5A04B5A432',NULL);
INSERT INTO history VALUES (14,2,1795945537958,'outcome',NULL,X'01A226B221A27276B7366E5BC88E2229',NULL);
INSERT INTO history VALUES (15,2,1795945537958,'undo',NULL,X'01A226B221A27276B7366E5CCE2A9472',NULL);
INSERT INTO history VALUES (16,3,1795945537958,'outcome',NULL,X'01A226B221A370258DC5142C4E5E22BD',NULL);
INSERT INTO history VALUES (17,4,1795945537958,'outcome',NULL,X'01A226B221A370258DC5142D973CA4B7',NULL);
INSERT INTO history VALUES (18,1,1795945537961,'outcome',NULL,X'01A226B221A8769F8153D7EF63C4970B',NULL);
INSERT INTO person VALUES (1,'kanri','kanri','administrator',NULL,'$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$eZ8SueF3EIJEgtgpg1rLafWpNVv3dMTwc0KCOxG5CSg',0,NULL,NULL,0,1795945538009,NULL,NULL,NULL);
INSERT INTO person VALUES (2,'kacho','kacho','administrator',NULL,'$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$eZ8SueF3EIJEgtgpg1rLafWpNVv3dMTwc0KCOxG5CSg',0,NULL,NULL,0,1795945538009,NULL,NULL,NULL);
INSERT INTO issued VALUES (1,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (1,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (2,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (2,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (3,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (3,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (4,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (4,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (5,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (5,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (6,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (6,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (7,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (7,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (8,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (8,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (9,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (9,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (10,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (10,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (11,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (11,'t-2',1795945537960,1795945537960);
INSERT INTO issued VALUES (12,'t-1',1795945537956,1795945537963);
INSERT INTO issued VALUES (12,'t-2',1795945537960,1795945537960);
INSERT INTO vehicle_contract VALUES ('v1','c-1');
INSERT INTO vehicle_contract VALUES ('v2','c-2');
INSERT INTO key_set VALUES (1,'{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiY29uZmlnIjp7ImtleXMiOlsiZmRmNzJhMDg4ZjE4ZjczOTllOGM1MmJjZTQ0ODQ0MTUwMWY3NTlhNTk1YTg2OTgwZTVkOWE0MjJhMDFlNWQ1NSIsImVkMjNkODUzMTI1YTNhY2ZmMjc4MmRkZGY4NGUwMThlYmM4NTk0MmViZjMyOGZmMTI4NzIwMmE0Nzk5NjQyMDciXSwidGhyZXNob2xkIjoyfSwiZXhwaXJlcyI6IjIwMzAtMDEtMDFUMDA6MDA6MDBaIiwia2V5cyI6W3sibmFtZSI6IumNtTEiLCJwdWJsaWMiOiI4YTg4ZTNkZDc0MDlmMTk1ZmQ1MmRiMmQzY2JhNWQ3MmNhNjcwOWJmMWQ5NDEyMWJmMzc0ODgwMWI0MGY2ZjVjIn0seyJuYW1lIjoi6Y21MiIsInB1YmxpYyI6IjgxMzk3NzBlYTg3ZDE3NWY1NmEzNTQ2NmMzNGM3ZWNjY2I4ZDhhOTFiNGVlMzdhMjVkZjYwZjViOGZjOWIzOTQifSx7Im5hbWUiOiLpjbUxMSIsInB1YmxpYyI6IjY2YmU3ZTMzMmM3YTQ1MzMzMmJkOWQwYTdmN2RiMDU1ZjVjNWVmMWEwNmFkYTY2ZDk4YjM5ZmI2ODEwYzQ3M2EifSx7Im5hbWUiOiLpjbUxMiIsInB1YmxpYyI6IjBiNTEzYWQ5YjQ5MjQwMTVjYTA5MDJlZDA3OTA0NGQzYWM1ZGJlYzIzMDZmMDY5NDhjMTBkYThlYjZlMzlmMmQifV0sInJvb3QiOnsia2V5cyI6WyIzNDc1MGY5OGJkNTlmY2ZjOTQ2ZGE0NWFhYWJlOTMzYmUxNTRhNGI1MDk0ZTFjNGFiZjQyODY2NTA1ZjNjOTdlIiwiNmEzODAzZDVmMDU5OTAyYTFjNmRhZmJjOWJhNDcyOTIxMmY3Y2FhYzA4NjM0Y2MzYWU3NmIyNzUyOWYwMzgyNyJdLCJ0aHJlc2hvbGQiOjJ9LCJ2IjoxLCJ2ZXJzaW9uIjoxfQ==","payloadType":"application/vnd.meguri.keys.v1+json","signatures":[{"keyid":"34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e","sig":"2NBlGLjSypHQmOARZgBPMcyQmDfcyi3M/BqRtTAAjDgRR4rs1xf0GYX6isdueKpPRDxxdMZIIpQYDf5e6n+SDQ=="},{"keyid":"6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827","sig":"5HP8CCWenPWN4X7w9wNGb32dhQmyNDP7T0AEQ1sa0e5q3wfrKH8fgvb4ykg9VSGRTqd7XAvwNAqEbURarAi6Dw=="}]}',X'D8A6816BDD723CAF914AD8E3F748F894DC91963BBA80F13C2F52FFEE6810BA50',1893456000000,1795945537972);
INSERT INTO release VALUES (1,2026,'版2026',1793491200000,1893369600000,NULL,3,X'3A437404F352C334853EF533701B79C9DE961C17E0A3D92D5E2E11BD9280947C','taken',1795945537972);
INSERT INTO bundle VALUES (1,1,'t-1',2026,X'787872511C1AC7C8DBE402E287BCC34F7CED96301F5149407E087B861C4745AA','c-1','v1',0,1795945538015,'verified',NULL,NULL,1795945538015);
INSERT INTO bundle VALUES (2,1,'t-2',2026,X'2D72150A4A7149057F235B3B04C6860626D947C52FE11D0A399901C8841A7B7E','c-1','v1',1,NULL,'refused','expired',NULL,1795945538015);
INSERT INTO bundle VALUES (3,1,'t-3',2026,X'A397B9C99EB56EE67960474DF02347F18FD88140F5978C0578E53ED3B296D789','c-2','v2',2,NULL,NULL,NULL,NULL,NULL);
INSERT INTO bundle_body VALUES (1,'{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiZXhwaXJlcyI6IjIwMjktMTItMzFUMDA6MDA6MDBaIiwibWFkZV9hdCI6IjIwMjYtMTEtMDFUMDA6MDA6MDBaIiwic2NoZWR1bGUiOlt7ImJyb2tlciI6eyJob3N0Ijoib2ZmaWNlLmV4YW1wbGUiLCJwb3J0Ijo4ODgzfSwiY29udHJhY3QiOiJjLTEiLCJjb250cmFjdG9yIjoiazEiLCJjb250cmFjdG9yX25hbWUiOiLmpa3ogIUiLCJyZWFzb24iOlt7ImNvZGUiOiJub3Rfb3V0Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InRpY2tldF9zaG9ydCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJvdGhlcl9pdGVtIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im90aGVyX2NvdW50Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vdF9hcHBsaWVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InBsYWNlX25vdF9mb3VuZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJhY2Nlc3NfYmxvY2tlZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJ1bnNhZmUiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoibm90X2FjY2VwdGVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vX3JlY3ljbGluZ190aWNrZXQiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoiYnVzaW5lc3MiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoib3RoZXIiLCJub3RlIjp0cnVlfV0sInJldGVudGlvbiI6eyJhY2tlZF9kYXlzIjoxNCwibGlzdF9kYXlzIjo3fSwicm91bmQiOiLjgrPjg7zjgrkiLCJzY3JlZW4iOnsiZnVsbHNjcmVlbiI6ZmFsc2UsImxhbmd1YWdlIjoiamEiLCJsb2NrX21pbnV0ZXMiOjE1LCJ0aGVtZSI6ImRheSJ9LCJ0aW1lcnMiOnsiaGVhbHRoIjo5MDAuMCwiaGVsbG8iOjMwMC4wLCJqb2luIjoxNS4wLCJrZWVwX2FsaXZlIjozMC4wLCJwZXJpcGhlcmFscyI6NjAuMCwicmVjb25uZWN0IjoxLjAsInJlY29ubmVjdF9tb3N0IjozMC4wLCJzaWxlbmNlIjozMC4wLCJzaWxlbmNlX21vc3QiOjMwMC4wLCJzdGlja3MiOjUuMCwidHJpYWwiOjkwMC4wfSwidmVoaWNsZSI6InYxIiwidmVoaWNsZV9uYW1lIjoi5Y+36LuKIn1dLCJ0ZXJtaW5hbCI6InQtMSIsInYiOjEsInZlcnNpb24iOjIwMjZ9","payloadType":"application/vnd.meguri.bundle.v1+json","signatures":[{"keyid":"fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55","sig":"D3f22pP0DWkLdNVPbFleeMoK8D3DMa2gStlj9uV7Rf/PCmbmiw4QRc7Om1qD4xpIgXR54FbrthodEX3BOwKqCA=="},{"keyid":"ed23d853125a3acff2782dddf84e018ebc85942ebf328ff1287202a479964207","sig":"d0/p4y0LWdYv0dU1EA9OWH02MMsuDPiRnkbBy3FAkVqCYIPcNnhAYA+WjbdrIoyqfziLzy1V6PLlJ8azibjNAQ=="}]}');
INSERT INTO bundle_body VALUES (2,'{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiZXhwaXJlcyI6IjIwMjktMTItMzFUMDA6MDA6MDBaIiwibWFkZV9hdCI6IjIwMjYtMTEtMDFUMDA6MDA6MDBaIiwic2NoZWR1bGUiOlt7ImJyb2tlciI6eyJob3N0Ijoib2ZmaWNlLmV4YW1wbGUiLCJwb3J0Ijo4ODgzfSwiY29udHJhY3QiOiJjLTEiLCJjb250cmFjdG9yIjoiazEiLCJjb250cmFjdG9yX25hbWUiOiLmpa3ogIUiLCJyZWFzb24iOlt7ImNvZGUiOiJub3Rfb3V0Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InRpY2tldF9zaG9ydCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJvdGhlcl9pdGVtIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im90aGVyX2NvdW50Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vdF9hcHBsaWVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InBsYWNlX25vdF9mb3VuZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJhY2Nlc3NfYmxvY2tlZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJ1bnNhZmUiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoibm90X2FjY2VwdGVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vX3JlY3ljbGluZ190aWNrZXQiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoiYnVzaW5lc3MiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoib3RoZXIiLCJub3RlIjp0cnVlfV0sInJldGVudGlvbiI6eyJhY2tlZF9kYXlzIjoxNCwibGlzdF9kYXlzIjo3fSwicm91bmQiOiLjgrPjg7zjgrkiLCJzY3JlZW4iOnsiZnVsbHNjcmVlbiI6ZmFsc2UsImxhbmd1YWdlIjoiamEiLCJsb2NrX21pbnV0ZXMiOjE1LCJ0aGVtZSI6ImRheSJ9LCJ0aW1lcnMiOnsiaGVhbHRoIjo5MDAuMCwiaGVsbG8iOjMwMC4wLCJqb2luIjoxNS4wLCJrZWVwX2FsaXZlIjozMC4wLCJwZXJpcGhlcmFscyI6NjAuMCwicmVjb25uZWN0IjoxLjAsInJlY29ubmVjdF9tb3N0IjozMC4wLCJzaWxlbmNlIjozMC4wLCJzaWxlbmNlX21vc3QiOjMwMC4wLCJzdGlja3MiOjUuMCwidHJpYWwiOjkwMC4wfSwidmVoaWNsZSI6InYxIiwidmVoaWNsZV9uYW1lIjoi5Y+36LuKIn1dLCJ0ZXJtaW5hbCI6InQtMiIsInYiOjEsInZlcnNpb24iOjIwMjZ9","payloadType":"application/vnd.meguri.bundle.v1+json","signatures":[{"keyid":"fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55","sig":"Fk6UMY7Nim4xxlqnOD2FALFs52bm2U9PUp6WYz522xtz0p81hjxQUPJdWdd5vsGZXUaIpSjb5iGpoaC8TnxIAA=="},{"keyid":"ed23d853125a3acff2782dddf84e018ebc85942ebf328ff1287202a479964207","sig":"DtRmxVMq9Bb+v/4PI+Oz6HRPN+4CptgL/hZyVoK/mawbt9jKP+z8lDnES03fEfMDpKyiRIwmk+I136M/WQOECQ=="}]}');
INSERT INTO bundle_body VALUES (3,'{"payload":"eyJjaXR5IjoiaGlyb3NoaW1hIiwiZXhwaXJlcyI6IjIwMjktMTItMzFUMDA6MDA6MDBaIiwibWFkZV9hdCI6IjIwMjYtMTEtMDFUMDA6MDA6MDBaIiwic2NoZWR1bGUiOlt7ImJyb2tlciI6eyJob3N0Ijoib2ZmaWNlLmV4YW1wbGUiLCJwb3J0Ijo4ODgzfSwiY29udHJhY3QiOiJjLTIiLCJjb250cmFjdG9yIjoiazEiLCJjb250cmFjdG9yX25hbWUiOiLmpa3ogIUiLCJyZWFzb24iOlt7ImNvZGUiOiJub3Rfb3V0Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InRpY2tldF9zaG9ydCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJvdGhlcl9pdGVtIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im90aGVyX2NvdW50Iiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vdF9hcHBsaWVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6InBsYWNlX25vdF9mb3VuZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJhY2Nlc3NfYmxvY2tlZCIsIm5vdGUiOmZhbHNlfSx7ImNvZGUiOiJ1bnNhZmUiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoibm90X2FjY2VwdGVkIiwibm90ZSI6ZmFsc2V9LHsiY29kZSI6Im5vX3JlY3ljbGluZ190aWNrZXQiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoiYnVzaW5lc3MiLCJub3RlIjpmYWxzZX0seyJjb2RlIjoib3RoZXIiLCJub3RlIjp0cnVlfV0sInJldGVudGlvbiI6eyJhY2tlZF9kYXlzIjoxNCwibGlzdF9kYXlzIjo3fSwicm91bmQiOiLjgrPjg7zjgrkiLCJzY3JlZW4iOnsiZnVsbHNjcmVlbiI6ZmFsc2UsImxhbmd1YWdlIjoiamEiLCJsb2NrX21pbnV0ZXMiOjE1LCJ0aGVtZSI6ImRheSJ9LCJ0aW1lcnMiOnsiaGVhbHRoIjo5MDAuMCwiaGVsbG8iOjMwMC4wLCJqb2luIjoxNS4wLCJrZWVwX2FsaXZlIjozMC4wLCJwZXJpcGhlcmFscyI6NjAuMCwicmVjb25uZWN0IjoxLjAsInJlY29ubmVjdF9tb3N0IjozMC4wLCJzaWxlbmNlIjozMC4wLCJzaWxlbmNlX21vc3QiOjMwMC4wLCJzdGlja3MiOjUuMCwidHJpYWwiOjkwMC4wfSwidmVoaWNsZSI6InYyIiwidmVoaWNsZV9uYW1lIjoi5Y+36LuKIn1dLCJ0ZXJtaW5hbCI6InQtMyIsInYiOjEsInZlcnNpb24iOjIwMjZ9","payloadType":"application/vnd.meguri.bundle.v1+json","signatures":[{"keyid":"fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55","sig":"oALCwSKsPiIK+B2eTdDT0HqQLog3JiXP/xe9bjQfPpeFmMf4P6cqS9WaslCwM765yfN+1KDKPGmayAqYBHiuDA=="},{"keyid":"ed23d853125a3acff2782dddf84e018ebc85942ebf328ff1287202a479964207","sig":"bm0Er5qqk9P0DhXJxhTOy9Nh16QuaFtppB68lZZncsiS4BaAEJ9c2MwJvoj01NWBu4tmE1DXHej8wt7KRLswDw=="}]}');
INSERT INTO schedule VALUES (1,0,NULL,'c-1','v1',NULL,NULL,NULL,NULL);
INSERT INTO schedule VALUES (2,0,NULL,'c-1','v1',NULL,NULL,NULL,NULL);
INSERT INTO schedule VALUES (3,0,NULL,'c-2','v2',NULL,NULL,NULL,NULL);
INSERT INTO config_event VALUES (X'01A226B221DD7770ACE0464EB17CC250',1,8,'t-1',2026,X'787872511C1AC7C8DBE402E287BCC34F7CED96301F5149407E087B861C4745AA','verified',NULL,NULL,NULL,'','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:38.013821456Z"},"fact":{"config":{"version":2026,"bundle":"787872511c1ac7c8dbe402e287bcc34f7ced96301f5149407e087b861c4745aa","state":"verified"}}}',1795945538013,NULL,NULL,1795945538015);
INSERT INTO config_event VALUES (X'01A226B221DE7211A78A6E83CDE4CF01',2,2,'t-2',2026,X'2D72150A4A7149057F235B3B04C6860626D947C52FE11D0A399901C8841A7B7E','refused',NULL,NULL,'expired','','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T09:45:38.014295969Z"},"fact":{"config":{"version":2026,"bundle":"2d72150a4a7149057f235b3b04c6860626d947c52fe11d0a399901c8841a7b7e","state":"refused","why":"expired"}}}',1795945538014,NULL,NULL,1795945538015);
INSERT INTO switchover VALUES (1,'correction','版2026',1,NULL,'pushed','{"groups":[5,25,100],"patience_hours":24,"ready_percent":90,"refused_percent":5}',1,1795945538009,1,NULL,NULL,0,NULL,NULL);
INSERT INTO switchover_step VALUES (1,1,1795945538009,'drafted',1,'{"version":2026}');
INSERT INTO switchover_step VALUES (2,1,1795945538009,'checked',1,'{"errors":0,"warnings":0}');
INSERT INTO switchover_step VALUES (3,1,1795945538009,'approved',2,NULL);
INSERT INTO switchover_step VALUES (4,1,1795945538009,'pushed',1,'{"rollout":{"groups":[5,25,100],"patience_hours":24,"ready_percent":90,"refused_percent":5}}');
INSERT INTO switchover_step VALUES (5,1,1795945538009,'group',NULL,'{"group":1,"terminals":1}');
INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('release',1);
INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('person',2);
INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('switchover',1);
INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('switchover_step',5);
CREATE INDEX pickup_reception ON pickup (reception, date);
CREATE INDEX aside_open ON aside (settled_at, id);
CREATE INDEX aside_same ON aside (same) WHERE settled_at IS NULL AND same IS NOT NULL;
CREATE INDEX aside_whole ON aside (terminal) WHERE settled_at IS NULL AND same IS NOT NULL;
CREATE INDEX import_kept ON import (kept) WHERE kept IS NOT NULL;
CREATE INDEX catalogue_plain ON catalogue_item (plain);
CREATE INDEX catalogue_sorted ON catalogue_item (gone, sorted_by, id);
CREATE INDEX pickup_unerased ON pickup (date) WHERE erased_at IS NULL;
CREATE TRIGGER resident_stays_erased BEFORE INSERT ON resident
WHEN (SELECT erased_at FROM pickup WHERE id = NEW.pickup) IS NOT NULL
BEGIN
    SELECT RAISE (IGNORE);
END;
CREATE INDEX note_received ON note (received_at);
CREATE INDEX history_pickup ON history (pickup, id, fact);
CREATE INDEX aside_entry ON aside (entry_id) WHERE entry_id IS NOT NULL;
CREATE UNIQUE INDEX health_entry ON health (entry_id) WHERE entry_id IS NOT NULL;
CREATE INDEX pickup_round
    ON pickup (date, contract, vehicle, stop, ward, state, reason, said_at, received_at, contradictions);
CREATE INDEX terminal_round ON terminal (contract, vehicle);
CREATE INDEX session_person ON session (person);
CREATE INDEX attempt_last ON attempt (last_at);
CREATE INDEX certificate_terminal ON certificate (terminal, issued_at);
CREATE UNIQUE INDEX enrolment_open ON enrolment (name) WHERE code_key IS NOT NULL;
CREATE INDEX enrolment_terminal ON enrolment (terminal);
CREATE UNIQUE INDEX terminal_record_asset ON terminal_record (asset) WHERE asset <> '';
CREATE UNIQUE INDEX terminal_record_iccid ON terminal_record (iccid) WHERE iccid <> '';
CREATE UNIQUE INDEX terminal_record_line ON terminal_record (line) WHERE line <> '';
CREATE INDEX handing_terminal ON handing (terminal, id);
CREATE TRIGGER handing_stays BEFORE UPDATE ON handing
BEGIN
    SELECT RAISE (ABORT, 'what was handed over stays written down');
END;
CREATE TRIGGER handing_is_kept BEFORE DELETE ON handing
BEGIN
    SELECT RAISE (ABORT, 'what was handed over stays written down');
END;
CREATE INDEX crew_contractor ON crew (contractor, id);
CREATE INDEX bundle_release ON bundle (release, place, state, offered_at);
CREATE INDEX schedule_round ON schedule (contract, vehicle);
CREATE INDEX terminal_schedule ON terminal (schedule) WHERE schedule IS NOT NULL;
CREATE INDEX config_event_terminal ON config_event (terminal, digest);
CREATE INDEX switchover_step_of ON switchover_step (switchover, id);
CREATE TRIGGER switchover_step_stays BEFORE UPDATE ON switchover_step
BEGIN
    SELECT RAISE (ABORT, 'a step that was taken stays written down');
END;
CREATE TRIGGER switchover_step_is_kept BEFORE DELETE ON switchover_step
BEGIN
    SELECT RAISE (ABORT, 'a step that was taken stays written down');
END;
CREATE INDEX pickup_open ON pickup (contract, date) WHERE state = 'open';
PRAGMA user_version = 17;
COMMIT;
