-- A small day in a store of schema 10. Kept for tests; never changed.
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
) STRICT;
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
, same BLOB) STRICT;
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    terminal   TEXT,
    detail     TEXT NOT NULL,
    settled_at INTEGER
) STRICT;
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
INSERT INTO office VALUES (1,'hiroshima',X'0A5BBA700A4E430298671BF7121AC33C',12,NULL);
INSERT INTO contractor VALUES ('k1','第一収集');
INSERT INTO contract VALUES ('c-1','k1','2000-01-01','2099-12-31');
INSERT INTO contract VALUES ('c-2','k1','2000-01-01','2099-12-31');
INSERT INTO vehicle VALUES ('v1','c-1','1号車','中区A');
INSERT INTO vehicle VALUES ('v2','c-2','2号車','中区B');
INSERT INTO terminal VALUES ('t-1','c-1','v1',X'1A2214CF1120DF989237127D48A26E68476F42C867E0508B57565088C88F4CA7',1795880453906,NULL,1,1795880453927,X'565D5CF484E54BB19BC3B72296FD95C3','kept',0,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-2','c-1','v1',X'B9560A749047FC99A2D891829D7C530BAD816C79D5E822956A11C260F6BADCCC',1795880453915,NULL,0,1795880453930,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-3','c-2','v2',X'7E986439CDCED4A9BBF6A611819ED759D460F6198BD7AE699A3AEDA7E267717F',1795880453922,NULL,1,1795880453932,X'E119C5FF32EA4076B5E20B1DBCFF0030','kept',NULL,NULL,NULL,NULL);
INSERT INTO log VALUES (1,'t-1','fact',X'D11B3C03EFD843088048DB394FDC9BE8',7,X'689F38BF48564E511840974548ADE67B8ED605ABA5F8BC47556BCD6C6D9FEB46',1795880453927,NULL);
INSERT INTO log VALUES (2,'t-2','fact',X'AB0A5A4E6C1949A3B4585FCAAC792A37',1,X'C6A1FAC22F65378CE118948E5594B2A101FBA834ADA51EDDA533B253BE1CC01E',1795880453930,1795880453932);
INSERT INTO log VALUES (3,'t-3','fact',X'05342230E48040A2B5586954691E7779',2,X'391C4716BFCC6C0ED11235776D41EA01EE91E4FA62A5CC6264FE1263017CAC82',1795880453932,NULL);
INSERT INTO log VALUES (4,'t-1','track',X'C7CDBB0890594D1BAB93154CD198DFB5',1,X'72DA9277D05D4FB03690C5472387B892F552183F1F67ADB77FDBCF6698185CDD',1795880453932,NULL);
INSERT INTO hole VALUES (3,1,2,1795880453932);
INSERT INTO import VALUES (1,1795880453888,'day.csv',X'88DAB4D3C6D2429FBDCEBDE254056A2FE84BF88C1CE875E241586DEE8F8DC51D','whole days','applied','{"added":12,"cancelled":0,"changed":0,"lines":12,"reinstated":0,"reordered":0,"requests":12,"skipped":0,"unchanged":0}',NULL,NULL,NULL,'kept','["2026-11-29"]',NULL);
INSERT INTO import VALUES (2,1795880453899,'day.csv',X'D79511708D99905FC77418000DD368D24C01D492EFCABEF3C2E4DD2C452343F2','whole days','held','{"added":0,"cancelled":11,"changed":0,"lines":1,"reinstated":0,"reordered":0,"requests":1,"skipped":0,"unchanged":1}','[{"date":"2026-11-29","missing":11,"planned":12}]',NULL,'# days: 

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
INSERT INTO pickup VALUES (1,X'CF277259C2208AD2AF4F74859A68BB3C','kept','0001','2026-11-29','中区A','中区','c-1','v1',1,'0001','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'collected',NULL,X'01A222D1072777D2B50A0D6C17FE6515','t-1',1795880453927,1795880453927,'["terminals_differ"]',NULL);
INSERT INTO pickup VALUES (2,X'5B0015FF4E7E8586A9D7258FAFC35C44','kept','0002','2026-11-29','中区A','中区','c-1','v1',2,'0002','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (3,X'42097FA3467F8D8F915F2925172640D2','kept','0003','2026-11-29','中区A','中区','c-1','v1',3,'0003','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'not_collected','other',X'01A222D1072777D2B50A0D6F7556D656','t-1',1795880453927,1795880453927,NULL,NULL);
INSERT INTO pickup VALUES (4,X'F5D94BAFC1D08270AC6230EE45E255B8','kept','0004','2026-11-29','中区A','中区','c-1','v1',4,'0004','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'partly','ticket_short',X'01A222D1072777D2B50A0D701B1B7B69','t-1',1795880453927,1795880453927,NULL,NULL);
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
INSERT INTO note VALUES (X'E14AC1011F617DF3D59B710F2140DEB288830CABD0139BB8FDCCB00140257830','門が閉まっています',1795880453927);
INSERT INTO aside VALUES (1,1795880453927,'meguri/1/hiroshima/t-1/up/fact','t-1',1,6,X'01A222D1072777D2B50A0D71FBE8B032','fact body has version 9, this program speaks 1',X'7B2276223A392C226E657773223A747275657D',19,NULL,NULL,NULL);
INSERT INTO aside VALUES (2,1795880453927,'meguri/1/hiroshima/t-1/up/fact','t-1',1,7,X'01A222D1072777D2B50A0D720558F3B8','the pickup is unknown',X'7B2276223A312C22636F6E7472616374223A22632D31222C22636F6E666967223A312C226174223A7B227465726D696E616C223A22323032362D31312D32385431353A34303A35332E3932373237323733355A227D2C2266616374223A7B226F7574636F6D65223A7B227069636B7570223A2230303030303030302D303030302D303030302D303030302D303030303030303030303633222C226C697374223A7B2264617465223A22323032362D31312D3239222C2276657273696F6E223A317D2C22726573756C74223A22636F6C6C6563746564227D7D7D',217,NULL,NULL,NULL);
INSERT INTO notice VALUES (1,1795880453899,'import_held',NULL,'{"import":2}',NULL);
INSERT INTO notice VALUES (2,1795880453932,'fork','t-2','{"count":1,"epoch":"ab0a5a4e-6c19-49a3-b458-5fcaac792a37","log":"fact"}',NULL);
INSERT INTO notice VALUES (3,1795880453932,'hole','t-3','{"epoch":"05342230-e480-40a2-b558-6954691e7779","first":1,"last":2,"log":"fact"}',NULL);
INSERT INTO document VALUES ('t-1','list/c-1/2026-11-29',2,X'FFBCB7F4FC0F86A505EDCFD5EDFA5B5BE23F4E9A604506993ABB87B17A4AAA6D',X'F3FC216808C97E8088CAF72093566EC3EEE63E3F8509313086D7BE9F929CDA20','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[{"epoch":"d11b3c03-efd8-4308-8048-db394fdc9be8","seq":7}],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a222d1-0729-7379-9e01-9698579c5745","terminal":"t-2","at":"2026-11-28T15:40:53.929164928Z","result":{"not_collected":{"reason":"not_out"}}}],"own":{"fact":"01a222d1-0727-77d2-b50a-0d6c17fe6515","terminal":"t-1","at":"2026-11-28T15:40:53.927150245Z","result":"collected"}},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a222d1-0727-77d2-b50a-0d6f7556d656","terminal":"t-1","at":"2026-11-28T15:40:53.927236202Z","result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a222d1-0727-77d2-b50a-0d701b1b7b69","terminal":"t-1","at":"2026-11-28T15:40:53.927255219Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO document VALUES ('t-2','list/c-1/2026-11-29',1,X'48B43F101F7970E1AF402DF4E4000EA5EB4995C443213AD31135C569F872C146',X'48B43F101F7970E1AF402DF4E4000EA5EB4995C443213AD31135C569F872C146','{"v":1,"contract":"c-1","date":"2026-11-29","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a222d1-0727-77d2-b50a-0d6c17fe6515","terminal":"t-1","at":"2026-11-28T15:40:53.927150245Z","result":"collected"}]},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a222d1-0727-77d2-b50a-0d6f7556d656","terminal":"t-1","at":"2026-11-28T15:40:53.927236202Z","result":{"not_collected":{"reason":"other"}}}]},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a222d1-0727-77d2-b50a-0d701b1b7b69","terminal":"t-1","at":"2026-11-28T15:40:53.927255219Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}]},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO health VALUES (4,1,1795880453931,'kept',0,1073741824,X'01A222D1072B7435BD98618744E5908C');
INSERT INTO kept_part VALUES (1,0,X'6E6F2C646174652C64697374726963742C746F776E2C6974656D730A303030312C323032362D31312D32392CE4B8ADE58CBA412CE69CACE5B79DE794BA2CE382BFE383B3E382B9C39731E38081E6A485E5AD90C397320A');
INSERT INTO entry VALUES (1,1,X'01A222D1072777D2B50A0D6C17FE6515',X'6673AD5A57B53EA8BA42AD4D420FEF3E1F10DAFD527553C8B6F307CFC76BCCBC','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927150245Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795880453927);
INSERT INTO entry VALUES (1,2,X'01A222D1072777D2B50A0D6D73CB55B2',X'2A0D023529427D689F6E9F5185477B8417DB6E10075CFB45542A4AB646CD89F8','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927211259Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795880453927);
INSERT INTO entry VALUES (1,3,X'01A222D1072777D2B50A0D6E48E01990',X'62892A2FDFE29043591D7CCB8998F426F79E0B4D64F8960E36E1B1A4FD4C16EB','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927226456Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a222d1-0727-77d2-b50a-0d6d73cb55b2"}}}',1795880453927);
INSERT INTO entry VALUES (1,4,X'01A222D1072777D2B50A0D6F7556D656',X'ACD004FA431AC0776ABC114A3446ACEA186F9B44DAFB6325A01E1A264538C0AE','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927236202Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795880453927);
INSERT INTO entry VALUES (1,5,X'01A222D1072777D2B50A0D701B1B7B69',X'5E79DEB5AEAB355BDBF551250A0A26CB4B6F7FB3D1863CB1AB064C6875ED7592','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927255219Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795880453927);
INSERT INTO entry VALUES (1,6,X'01A222D1072777D2B50A0D71FBE8B032',X'E29E0AEA9D8C1181BD41945F26D87BFCF7F37BEC52D3E20CE2B677DEC8872C06','{"v":9,"news":true}',1795880453927);
INSERT INTO entry VALUES (1,7,X'01A222D1072777D2B50A0D720558F3B8',X'689F38BF48564E511840974548ADE67B8ED605ABA5F8BC47556BCD6C6D9FEB46','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927272735Z"},"fact":{"outcome":{"pickup":"00000000-0000-0000-0000-000000000063","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795880453927);
INSERT INTO entry VALUES (2,1,X'01A222D1072973799E019698579C5745',X'C6A1FAC22F65378CE118948E5594B2A101FBA834ADA51EDDA533B253BE1CC01E','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.929164928Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795880453930);
INSERT INTO entry VALUES (4,1,X'01A222D1072B7435BD98618744E5908C',X'72DA9277D05D4FB03690C5472387B892F552183F1F67ADB77FDBCF6698185CDD','{"v":1,"at":{"terminal":"2026-11-28T15:40:53.931829362Z"},"track":{"health":{"app":"kept","waiting":0,"free_bytes":1073741824}}}',1795880453932);
INSERT INTO fact VALUES (X'01A222D1072777D2B50A0D6C17FE6515',1,1,'t-1',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927150245Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":"collected"}}}',1795880453927,NULL,NULL,1795880453927);
INSERT INTO fact VALUES (X'01A222D1072777D2B50A0D6D73CB55B2',1,2,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927211259Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795880453927,NULL,NULL,1795880453927);
INSERT INTO fact VALUES (X'01A222D1072777D2B50A0D6E48E01990',1,3,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927226456Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a222d1-0727-77d2-b50a-0d6d73cb55b2"}}}',1795880453927,NULL,NULL,1795880453927);
INSERT INTO fact VALUES (X'01A222D1072777D2B50A0D6F7556D656',1,4,'t-1',3,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927236202Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795880453927,NULL,NULL,1795880453927);
INSERT INTO fact VALUES (X'01A222D1072777D2B50A0D701B1B7B69',1,5,'t-1',4,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.927255219Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-29","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795880453927,NULL,NULL,1795880453927);
INSERT INTO fact VALUES (X'01A222D1072973799E019698579C5745',2,1,'t-2',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-28T15:40:53.929164928Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-29","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795880453929,NULL,NULL,1795880453930);
INSERT INTO history VALUES (1,1,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (2,2,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (3,3,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (4,4,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (5,5,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (6,6,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (7,7,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (8,8,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (9,9,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (10,10,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (11,11,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (12,12,1795880453888,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (13,1,1795880453927,'outcome',NULL,X'01A222D1072777D2B50A0D6C17FE6515',NULL);
INSERT INTO history VALUES (14,2,1795880453927,'outcome',NULL,X'01A222D1072777D2B50A0D6D73CB55B2',NULL);
INSERT INTO history VALUES (15,2,1795880453927,'undo',NULL,X'01A222D1072777D2B50A0D6E48E01990',NULL);
INSERT INTO history VALUES (16,3,1795880453927,'outcome',NULL,X'01A222D1072777D2B50A0D6F7556D656',NULL);
INSERT INTO history VALUES (17,4,1795880453927,'outcome',NULL,X'01A222D1072777D2B50A0D701B1B7B69',NULL);
INSERT INTO history VALUES (18,1,1795880453930,'outcome',NULL,X'01A222D1072973799E019698579C5745',NULL);
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
PRAGMA user_version = 10;
COMMIT;
