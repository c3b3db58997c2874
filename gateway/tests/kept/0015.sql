-- A small day in a store of schema 15. Kept for tests; never changed.
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
, lost_at INTEGER, erased_at INTEGER) STRICT;
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
INSERT INTO office VALUES (1,'hiroshima',X'D507607A31FA4AD98FE1A39B41AD2CD3',12,NULL);
INSERT INTO contractor VALUES ('k1','第一収集');
INSERT INTO contract VALUES ('c-1','k1','2000-01-01','2099-12-31');
INSERT INTO contract VALUES ('c-2','k1','2000-01-01','2099-12-31');
INSERT INTO vehicle VALUES ('v1','c-1','1号車','中区A');
INSERT INTO vehicle VALUES ('v2','c-2','2号車','中区B');
INSERT INTO terminal VALUES ('t-1','c-1','v1',X'4203F6F16480C84AC884BDD6B50F68B41AEB0AE928A814CB9C71D6DA603608C8',1795913330424,NULL,1,1795913330452,X'7317E3D4A72D4BCDB5882DD678199FBA','kept',0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-2','c-1','v1',X'D85EF3397DB1E8F81589F1CEF4B2E9DDE61AF73662E696B13143CCC1BA85483F',1795913330435,NULL,0,1795913330456,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-3','c-2','v2',X'9A958C6B091E894FCDA42C17274492A11010514CEB6895571FC7D82924DF2047',1795913330444,NULL,1,1795913330458,X'265DBFC617914CFCBA4F0D99FC5C2A04','kept',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO log VALUES (1,'t-1','fact',X'82C4EE9FCDBE4EF5B461E8D78A7F0D9D',7,X'87BB7CAF1EA1289624E503EBDED0639173FBD2923C47B271D7F066BB360FE318',1795913330452,NULL);
INSERT INTO log VALUES (2,'t-2','fact',X'53EABDBE25814819AE8BDA7E2562F225',1,X'8589B4102E4D7FEAF71AE6A6E968BDF98C12507CD4383D157BBB8F15D0AFED45',1795913330456,1795913330458);
INSERT INTO log VALUES (3,'t-3','fact',X'B54F8CD053C04A23A0A294E4C76CC7FC',2,X'4406E89AFD5781C5087203D9500CDD15F4E2046374EB9BAA7E93C11DFCE8BE89',1795913330458,NULL);
INSERT INTO log VALUES (4,'t-1','track',X'B755BE4126194BFF83F08F185EE4E6C3',1,X'1C91D05F0BAD9D6A832AAE63F7AA62FFED49899DF4A59FAF8DC6BAA941C4DA8A',1795913330458,NULL);
INSERT INTO hole VALUES (3,1,2,1795913330458);
INSERT INTO import VALUES (1,1795913330399,'day.csv',X'88DAB4D3C6D2429FBDCEBDE254056A2FE84BF88C1CE875E241586DEE8F8DC51D','whole days','applied','{"added":12,"cancelled":0,"changed":0,"lines":12,"reinstated":0,"reordered":0,"requests":12,"skipped":0,"unchanged":0}',NULL,NULL,NULL,'kept','["2026-11-29"]',NULL);
INSERT INTO import VALUES (2,1795913330414,'day.csv',X'D79511708D99905FC77418000DD368D24C01D492EFCABEF3C2E4DD2C452343F2','whole days','held','{"added":0,"cancelled":11,"changed":0,"lines":1,"reinstated":0,"reordered":0,"requests":1,"skipped":0,"unchanged":1}','[{"date":"2026-11-29","missing":11,"planned":12}]',NULL,'# days: 

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
INSERT INTO pickup VALUES (1,X'CF277259C2208AD2AF4F74859A68BB3C','kept','0001','2026-11-29','中区A','中区','c-1','v1',1,'0001','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'collected',NULL,X'01A224C6AF13772B854BB4FD6CC1D9F4','t-1',1795913330451,1795913330452,'["terminals_differ"]',NULL);
INSERT INTO pickup VALUES (2,X'5B0015FF4E7E8586A9D7258FAFC35C44','kept','0002','2026-11-29','中区A','中区','c-1','v1',2,'0002','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (3,X'42097FA3467F8D8F915F2925172640D2','kept','0003','2026-11-29','中区A','中区','c-1','v1',3,'0003','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'not_collected','other',X'01A224C6AF13772B854BB500E002B661','t-1',1795913330451,1795913330452,NULL,NULL);
INSERT INTO pickup VALUES (4,X'F5D94BAFC1D08270AC6230EE45E255B8','kept','0004','2026-11-29','中区A','中区','c-1','v1',4,'0004','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'partly','ticket_short',X'01A224C6AF1475AC826FB8B97083FA78','t-1',1795913330451,1795913330452,NULL,NULL);
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
INSERT INTO note VALUES (X'E14AC1011F617DF3D59B710F2140DEB288830CABD0139BB8FDCCB00140257830','門が閉まっています',1795913330452);
INSERT INTO aside VALUES (1,1795913330452,'meguri/1/hiroshima/t-1/up/fact','t-1',1,6,X'01A224C6AF1475AC826FB8BA5446188C','fact body has version 9, this program speaks 1',X'7B2276223A392C226E657773223A747275657D',19,NULL,NULL,NULL,'c-1');
INSERT INTO aside VALUES (2,1795913330452,'meguri/1/hiroshima/t-1/up/fact','t-1',1,7,X'01A224C6AF1475AC826FB8BBA38F1214','the pickup is unknown',X'7B2276223A312C22636F6E7472616374223A22632D31222C22636F6E666967223A312C226174223A7B227465726D696E616C223A22323032362D31312D32395430303A34383A35302E3435323033373935325A227D2C2266616374223A7B226F7574636F6D65223A7B227069636B7570223A2230303030303030302D303030302D303030302D303030302D303030303030303030303633222C226C697374223A7B2264617465223A22323032362D31312D3239222C2276657273696F6E223A317D2C22726573756C74223A22636F6C6C6563746564227D7D7D',217,NULL,NULL,NULL,'c-1');
INSERT INTO notice VALUES (1,1795913330414,'import_held',NULL,'{"import":2}',NULL,NULL);
INSERT INTO notice VALUES (2,1795913330458,'fork','t-2','{"count":1,"epoch":"53eabdbe-2581-4819-ae8b-da7e2562f225","log":"fact"}',NULL,'c-1');
INSERT INTO notice VALUES (3,1795913330458,'hole','t-3','{"epoch":"b54f8cd0-53c0-4a23-a0a2-94e4c76cc7fc","first":1,"last":2,"log":"fact"}',NULL,'c-2');
INSERT INTO document VALUES ('t-1','list/c-1/2026-11-29',2,X'F81C4ACB0441D5D62A67293A93A37A393123F819B68036A3A56C9F7C72AE77EB',X'B957783404E01E49C1D9C462136D58C2F1B3D26EB4E3F7774EBF3DC9BFC98C8D','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[{"epoch":"82c4ee9f-cdbe-4ef5-b461-e8d78a7f0d9d","seq":7}],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a224c6-af18-703c-a533-dda15505da4a","terminal":"t-2","at":"2026-11-29T00:48:50.456019866Z","result":{"not_collected":{"reason":"not_out"}}}],"own":{"fact":"01a224c6-af13-772b-854b-b4fd6cc1d9f4","terminal":"t-1","at":"2026-11-29T00:48:50.451871904Z","result":"collected"}},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a224c6-af13-772b-854b-b500e002b661","terminal":"t-1","at":"2026-11-29T00:48:50.451975403Z","result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a224c6-af14-75ac-826f-b8b97083fa78","terminal":"t-1","at":"2026-11-29T00:48:50.451994795Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO document VALUES ('t-2','list/c-1/2026-11-29',1,X'932C9094E8696E14DED0ADFEF15DEA2C28F60F176BBEBC1BE998B627E10164C7',X'932C9094E8696E14DED0ADFEF15DEA2C28F60F176BBEBC1BE998B627E10164C7','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a224c6-af13-772b-854b-b4fd6cc1d9f4","terminal":"t-1","at":"2026-11-29T00:48:50.451871904Z","result":"collected"}]},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a224c6-af13-772b-854b-b500e002b661","terminal":"t-1","at":"2026-11-29T00:48:50.451975403Z","result":{"not_collected":{"reason":"other"}}}]},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a224c6-af14-75ac-826f-b8b97083fa78","terminal":"t-1","at":"2026-11-29T00:48:50.451994795Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}]},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO health VALUES (4,1,1795913330457,'kept',0,1073741824,X'01A224C6AF1976C49A78B2A939A73B82');
INSERT INTO kept_part VALUES (1,0,X'6E6F2C646174652C64697374726963742C746F776E2C6974656D730A303030312C323032362D31312D32392CE4B8ADE58CBA412CE69CACE5B79DE794BA2CE382BFE383B3E382B9C39731E38081E6A485E5AD90C397320A');
INSERT INTO entry VALUES (1,1,X'01A224C6AF13772B854BB4FD6CC1D9F4',X'40CFCC6EBA360FA731009C80FD5F0E7695A3488204875DF4CA83A4835450213C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451871904Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795913330452);
INSERT INTO entry VALUES (1,2,X'01A224C6AF13772B854BB4FE1CC88461',X'86C82CA2AD6B37087534E583DBC28CD09DFEC4A26FC681D64EAB36A231B22AA6','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451945659Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795913330452);
INSERT INTO entry VALUES (1,3,X'01A224C6AF13772B854BB4FF47AB2F11',X'9C65076A46600862994A8613ADB5532221FA96ABC42D4E4DF1B6F475661FB76C','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.45196192Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a224c6-af13-772b-854b-b4fe1cc88461"}}}',1795913330452);
INSERT INTO entry VALUES (1,4,X'01A224C6AF13772B854BB500E002B661',X'9F6A22AE937800DAE43CDB7B327544F53589E7A31C4B5CE7A49795C53F723CC4','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451975403Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795913330452);
INSERT INTO entry VALUES (1,5,X'01A224C6AF1475AC826FB8B97083FA78',X'A88836FEDE5669F45B9AF0A4AD51DBCA44993BCD3461F2DDA9518D94567722D1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451994795Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795913330452);
INSERT INTO entry VALUES (1,6,X'01A224C6AF1475AC826FB8BA5446188C',X'7F138FFFA9DB40D836BD64E197AF1E0318DF59F66D9E06AD173FC0B8C9F8D214','{"v":9,"news":true}',1795913330452);
INSERT INTO entry VALUES (1,7,X'01A224C6AF1475AC826FB8BBA38F1214',X'87BB7CAF1EA1289624E503EBDED0639173FBD2923C47B271D7F066BB360FE318','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.452037952Z"},"fact":{"outcome":{"pickup":"00000000-0000-0000-0000-000000000063","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795913330452);
INSERT INTO entry VALUES (2,1,X'01A224C6AF18703CA533DDA15505DA4A',X'8589B4102E4D7FEAF71AE6A6E968BDF98C12507CD4383D157BBB8F15D0AFED45','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.456019866Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795913330456);
INSERT INTO entry VALUES (4,1,X'01A224C6AF1976C49A78B2A939A73B82',X'1C91D05F0BAD9D6A832AAE63F7AA62FFED49899DF4A59FAF8DC6BAA941C4DA8A','{"v":1,"at":{"terminal":"2026-11-29T00:48:50.45729558Z"},"track":{"health":{"app":"kept","waiting":0,"free_bytes":1073741824}}}',1795913330458);
INSERT INTO fact VALUES (X'01A224C6AF13772B854BB4FD6CC1D9F4',1,1,'t-1',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451871904Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795913330451,NULL,NULL,1795913330452);
INSERT INTO fact VALUES (X'01A224C6AF13772B854BB4FE1CC88461',1,2,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451945659Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795913330451,NULL,NULL,1795913330452);
INSERT INTO fact VALUES (X'01A224C6AF13772B854BB4FF47AB2F11',1,3,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.45196192Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a224c6-af13-772b-854b-b4fe1cc88461"}}}',1795913330451,NULL,NULL,1795913330452);
INSERT INTO fact VALUES (X'01A224C6AF13772B854BB500E002B661',1,4,'t-1',3,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451975403Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795913330451,NULL,NULL,1795913330452);
INSERT INTO fact VALUES (X'01A224C6AF1475AC826FB8B97083FA78',1,5,'t-1',4,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.451994795Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795913330451,NULL,NULL,1795913330452);
INSERT INTO fact VALUES (X'01A224C6AF18703CA533DDA15505DA4A',2,1,'t-2',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-29T00:48:50.456019866Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795913330456,NULL,NULL,1795913330456);
INSERT INTO history VALUES (1,1,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (2,2,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (3,3,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (4,4,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (5,5,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (6,6,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (7,7,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (8,8,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (9,9,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (10,10,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (11,11,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (12,12,1795913330399,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (13,1,1795913330452,'outcome',NULL,X'01A224C6AF13772B854BB4FD6CC1D9F4',NULL);
INSERT INTO history VALUES (14,2,1795913330452,'outcome',NULL,X'01A224C6AF13772B854BB4FE1CC88461',NULL);
INSERT INTO history VALUES (15,2,1795913330452,'undo',NULL,X'01A224C6AF13772B854BB4FF47AB2F11',NULL);
INSERT INTO history VALUES (16,3,1795913330452,'outcome',NULL,X'01A224C6AF13772B854BB500E002B661',NULL);
INSERT INTO history VALUES (17,4,1795913330452,'outcome',NULL,X'01A224C6AF1475AC826FB8B97083FA78',NULL);
INSERT INTO history VALUES (18,1,1795913330456,'outcome',NULL,X'01A224C6AF18703CA533DDA15505DA4A',NULL);
INSERT INTO issued VALUES (1,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (1,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (2,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (2,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (3,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (3,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (4,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (4,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (5,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (5,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (6,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (6,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (7,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (7,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (8,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (8,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (9,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (9,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (10,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (10,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (11,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (11,'t-2',1795913330454,1795913330454);
INSERT INTO issued VALUES (12,'t-1',1795913330454,1795913330457);
INSERT INTO issued VALUES (12,'t-2',1795913330454,1795913330454);
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
PRAGMA user_version = 15;
COMMIT;
