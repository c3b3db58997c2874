-- A small day in a store of schema 5. Kept for tests; never changed.
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE office (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    city        TEXT NOT NULL,
    incarnation BLOB NOT NULL,
    -- Counts starts; beside it a file says the same, so that a copied-back store is recognised.
    generation  INTEGER NOT NULL
) STRICT;
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
CREATE TABLE entry (
    log         INTEGER NOT NULL REFERENCES log (id),
    seq         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    digest      BLOB NOT NULL,
    body        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;
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
, source TEXT, days TEXT) STRICT;
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
    contradictions TEXT,
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
CREATE TABLE history (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    pickup  INTEGER NOT NULL REFERENCES pickup (id),
    at      INTEGER NOT NULL,
    -- 'added','changed','cancelled','reinstated','outcome','undo'.
    kind    TEXT NOT NULL,
    -- Of an office row: the import. Of a fact: its id.
    import  INTEGER REFERENCES import (id),
    fact    BLOB REFERENCES fact (id),
    -- JSON; of a change: {"rev":2,"fields":{"vehicle":["a","b"],"address":null}}, residents' fields by name only.
    detail  TEXT
) STRICT;
CREATE TABLE fact (
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
    free_bytes INTEGER,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO office VALUES (1,'hiroshima',X'CA9EA839BDBE496EB83FD7A712B49560',12);
INSERT INTO contractor VALUES ('k1','第一収集');
INSERT INTO contract VALUES ('c-1','k1','2000-01-01','2099-12-31');
INSERT INTO contract VALUES ('c-2','k1','2000-01-01','2099-12-31');
INSERT INTO vehicle VALUES ('v1','c-1','1号車','中区A');
INSERT INTO vehicle VALUES ('v2','c-2','2号車','中区B');
INSERT INTO terminal VALUES ('t-1','c-1','v1',X'A2CFC366092D6D68434A8E8EA087D31508C8428AB2F20896268CB6FE09C71DCC',1795550054245,NULL,1,1795550054271,X'0D9ADC6250D840229102F9F0C94CCEF6','kept',0,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-2','c-1','v1',X'0B15B059C40CB3C80F529AE8D7366A56A969A5CE0EB3A61BD840C4CF5091D051',1795550054252,NULL,0,1795550054271,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO terminal VALUES ('t-3','c-2','v2',X'D61FB994E38577E65A117B18ABC1164978F7B49F2FE16974F12B8B513E700C05',1795550054260,NULL,1,1795550054271,X'A2128351326E4CD2A78F7843C847FF0F','kept',NULL,NULL,NULL,NULL);
INSERT INTO log VALUES (1,'t-1','fact',X'6D6ECF7D62474418BC5E08D705ADAC07',7,X'1802928F472BE08D59F1B90FBA7B33B9BC99FC076E9542E5F5729D5D923F48F5',1795550054265,NULL);
INSERT INTO log VALUES (2,'t-2','fact',X'58006D4A89C34859BFE9403373A17945',1,X'4130FA0457BB77D0B79F8C53E56482902B5AC717D958DCF05CF2605A907525E6',1795550054269,1795550054271);
INSERT INTO log VALUES (3,'t-3','fact',X'4E6284C31EEA45A39C9298DCF6684001',2,X'A9728ABC30C161C304AEE4C167EDF3DD3DB56D00A2D6AE9019BA11BEB23362F9',1795550054271,NULL);
INSERT INTO log VALUES (4,'t-1','track',X'1A2AB42161B94F818C8D31C514D44AF7',1,X'B59EA7F3965472AC68B6AB5D05944EF333F7E9580E5E8CC8EA483AD4F252B107',1795550054271,NULL);
INSERT INTO entry VALUES (1,1,X'01A20F1F877876CCBEC21125E63226E4',X'07265000501AC55098C25D8D2F43F739117B4A9459042658CEB6BEC65BCA818E','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264922487Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-25","version":1},"result":"collected"}}}',1795550054265);
INSERT INTO entry VALUES (1,2,X'01A20F1F877876CCBEC21126A812EADF',X'EFAD418052697F5621C6D572D25AFE1EEBA386443F8C1C374F314552DBB5AA90','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264983017Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795550054265);
INSERT INTO entry VALUES (1,3,X'01A20F1F8779748CB4C02C0CE35F2F5D',X'4C2D9F5CD94438BF03543FC62EEB9BD4F44F30D9ED837DD09EA12A6B981FC052','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264995596Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a20f1f-8778-76cc-bec2-1126a812eadf"}}}',1795550054265);
INSERT INTO entry VALUES (1,4,X'01A20F1F8779748CB4C02C0D77903725',X'5E0A2A5DB842E046D53658B8989B63AED8946EB4353CFB73B7E6369555EC96C4','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.265008315Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795550054265);
INSERT INTO entry VALUES (1,5,X'01A20F1F8779748CB4C02C0EAACBC2C0',X'C0B5FA9C98B595F05C64E37E7F69C6B1057382780D091F9C79ED5CD5253271EA','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.265026972Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-25","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795550054265);
INSERT INTO entry VALUES (1,6,X'01A20F1F8779748CB4C02C0F95710366',X'12EF9E61086DC4596E134ECDDF22D8836ABCC6E48C4E864D29FEF9BD338DA03A','{"v":9,"news":true}',1795550054265);
INSERT INTO entry VALUES (1,7,X'01A20F1F8779748CB4C02C10B435C251',X'1802928F472BE08D59F1B90FBA7B33B9BC99FC076E9542E5F5729D5D923F48F5','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.265060111Z"},"fact":{"outcome":{"pickup":"00000000-0000-0000-0000-000000000063","list":{"date":"2026-11-25","version":1},"result":"collected"}}}',1795550054265);
INSERT INTO entry VALUES (2,1,X'01A20F1F877D715982B0F851E3B5C831',X'4130FA0457BB77D0B79F8C53E56482902B5AC717D958DCF05CF2605A907525E6','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.269187333Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795550054269);
INSERT INTO entry VALUES (4,1,X'01A20F1F877E72E18CEACA60B12DE902',X'B59EA7F3965472AC68B6AB5D05944EF333F7E9580E5E8CC8EA483AD4F252B107','{"v":1,"at":{"terminal":"2026-11-24T19:54:14.27041242Z"},"track":{"health":{"app":"kept","waiting":0,"free_bytes":1073741824}}}',1795550054271);
INSERT INTO hole VALUES (3,1,2,1795550054271);
INSERT INTO import VALUES (1,1795550054226,'day.csv',X'376DC130A744510F843160DB7BB364F2C7B1293A2B4E4DD799E124D8BA4B276B','whole days','applied','{"added":12,"cancelled":0,"changed":0,"lines":12,"reinstated":0,"reordered":0,"requests":12,"skipped":0,"unchanged":0}',NULL,NULL,NULL,'kept','["2026-11-25"]');
INSERT INTO import VALUES (2,1795550054237,'day.csv',X'B39F6148ED530ECBFAB0EA57455439805B7EB8605F08E01679EE495483EE4B55','whole days','held','{"added":0,"cancelled":11,"changed":0,"lines":1,"reinstated":0,"reordered":0,"requests":1,"skipped":0,"unchanged":1}','[{"date":"2026-11-25","missing":11,"planned":12}]',X'6E6F2C646174652C64697374726963742C746F776E2C6974656D730A303030312C323032362D31312D32352CE4B8ADE58CBA412CE69CACE5B79DE794BA2CE382BFE383B3E382B9C39731E38081E6A485E5AD90C397320A','# days: 

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
','kept','["2026-11-25"]');
INSERT INTO pickup VALUES (1,X'CF277259C2208AD2AF4F74859A68BB3C','kept','0001','2026-11-25','中区A','中区','c-1','v1',1,'0001','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'collected',NULL,X'01A20F1F877876CCBEC21125E63226E4','t-1',1795550054264,1795550054265,'["terminals_differ"]');
INSERT INTO pickup VALUES (2,X'5B0015FF4E7E8586A9D7258FAFC35C44','kept','0002','2026-11-25','中区A','中区','c-1','v1',2,'0002','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (3,X'42097FA3467F8D8F915F2925172640D2','kept','0003','2026-11-25','中区A','中区','c-1','v1',3,'0003','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'not_collected','other',X'01A20F1F8779748CB4C02C0D77903725','t-1',1795550054265,1795550054265,NULL);
INSERT INTO pickup VALUES (4,X'F5D94BAFC1D08270AC6230EE45E255B8','kept','0004','2026-11-25','中区A','中区','c-1','v1',4,'0004','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'partly','ticket_short',X'01A20F1F8779748CB4C02C0EAACBC2C0','t-1',1795550054265,1795550054265,NULL);
INSERT INTO pickup VALUES (5,X'67002A53B1D8848E81F5316289741874','kept','0005','2026-11-25','中区A','中区','c-1','v1',5,'0005','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (6,X'DA40EC5718D288AE9CA033A54C311374','kept','0006','2026-11-25','中区A','中区','c-1','v1',6,'0006','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (7,X'FF383FDEEA6089639E165A35831BE821','kept','0007','2026-11-25','中区A','中区','c-1','v1',7,'0007','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (8,X'0E91CCA6689985828A9E13E357BC59C1','kept','0008','2026-11-25','中区A','中区','c-1','v1',8,'0008','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (9,X'17F0617C24728B8293F25ACF4D5D3C35','kept','0009','2026-11-25','中区A','中区','c-1','v1',9,'0009','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (10,X'FE3B036774BC819CAB9FB4FE771E7F22','kept','0010','2026-11-25','中区A','中区','c-1','v1',10,'0010','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (11,X'4A2FCB68541189DD9CB7C19B299BCFD2','kept','0011','2026-11-25','中区A','中区','c-1','v1',11,'0011','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO pickup VALUES (12,X'C07118B733098589AF5ACC8EE0DD2589','kept','0012','2026-11-25','中区A','中区','c-1','v1',12,'0012','[{"count":1,"name":"タンス"},{"count":2,"name":"椅子"}]','tickets','"planned"',1,NULL,'open',NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO history VALUES (1,1,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (2,2,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (3,3,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (4,4,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (5,5,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (6,6,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (7,7,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (8,8,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (9,9,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (10,10,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (11,11,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (12,12,1795550054226,'added',1,NULL,'{"rev":1}');
INSERT INTO history VALUES (13,1,1795550054265,'outcome',NULL,X'01A20F1F877876CCBEC21125E63226E4',NULL);
INSERT INTO history VALUES (14,2,1795550054265,'outcome',NULL,X'01A20F1F877876CCBEC21126A812EADF',NULL);
INSERT INTO history VALUES (15,2,1795550054265,'undo',NULL,X'01A20F1F8779748CB4C02C0CE35F2F5D',NULL);
INSERT INTO history VALUES (16,3,1795550054265,'outcome',NULL,X'01A20F1F8779748CB4C02C0D77903725',NULL);
INSERT INTO history VALUES (17,4,1795550054265,'outcome',NULL,X'01A20F1F8779748CB4C02C0EAACBC2C0',NULL);
INSERT INTO history VALUES (18,1,1795550054269,'outcome',NULL,X'01A20F1F877D715982B0F851E3B5C831',NULL);
INSERT INTO fact VALUES (X'01A20F1F877876CCBEC21125E63226E4',1,1,'t-1',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264922487Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-25","version":1},"result":"collected"}}}',1795550054264,NULL,NULL,1795550054265);
INSERT INTO fact VALUES (X'01A20F1F877876CCBEC21126A812EADF',1,2,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264983017Z"},"fact":{"outcome":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795550054264,NULL,NULL,1795550054265);
INSERT INTO fact VALUES (X'01A20F1F8779748CB4C02C0CE35F2F5D',1,3,'t-1',2,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.264995596Z"},"fact":{"undo":{"pickup":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","of":"01a20f1f-8778-76cc-bec2-1126a812eadf"}}}',1795550054264,NULL,NULL,1795550054265);
INSERT INTO fact VALUES (X'01A20F1F8779748CB4C02C0D77903725',1,4,'t-1',3,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.265008315Z"},"fact":{"outcome":{"pickup":"42097fa3-467f-8d8f-915f-2925172640d2","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}}}',1795550054265,NULL,NULL,1795550054265);
INSERT INTO fact VALUES (X'01A20F1F8779748CB4C02C0EAACBC2C0',1,5,'t-1',4,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.265026972Z"},"fact":{"outcome":{"pickup":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","list":{"date":"2026-11-25","version":1},"result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}}}',1795550054265,NULL,NULL,1795550054265);
INSERT INTO fact VALUES (X'01A20F1F877D715982B0F851E3B5C831',2,1,'t-2',1,'c-1','{"v":1,"contract":"c-1","config":1,"at":{"terminal":"2026-11-24T19:54:14.269187333Z"},"fact":{"outcome":{"pickup":"cf277259-c220-8ad2-af4f-74859a68bb3c","list":{"date":"2026-11-25","version":1},"result":{"not_collected":{"reason":"not_out"}}}}}',1795550054269,NULL,NULL,1795550054269);
INSERT INTO note VALUES (X'E14AC1011F617DF3D59B710F2140DEB288830CABD0139BB8FDCCB00140257830','門が閉まっています',1795550054265);
INSERT INTO aside VALUES (1,1795550054265,'meguri/1/hiroshima/t-1/up/fact','t-1',1,6,X'01A20F1F8779748CB4C02C0F95710366','fact body has version 9, this program speaks 1',X'7B2276223A392C226E657773223A747275657D',19,NULL,NULL,NULL);
INSERT INTO aside VALUES (2,1795550054265,'meguri/1/hiroshima/t-1/up/fact','t-1',1,7,X'01A20F1F8779748CB4C02C10B435C251','the pickup is unknown',X'7B2276223A312C22636F6E7472616374223A22632D31222C22636F6E666967223A312C226174223A7B227465726D696E616C223A22323032362D31312D32345431393A35343A31342E3236353036303131315A227D2C2266616374223A7B226F7574636F6D65223A7B227069636B7570223A2230303030303030302D303030302D303030302D303030302D303030303030303030303633222C226C697374223A7B2264617465223A22323032362D31312D3235222C2276657273696F6E223A317D2C22726573756C74223A22636F6C6C6563746564227D7D7D',217,NULL,NULL,NULL);
INSERT INTO notice VALUES (1,1795550054237,'import_held',NULL,'{"import":2}',NULL);
INSERT INTO notice VALUES (2,1795550054271,'fork','t-2','{"count":1,"epoch":"58006d4a-89c3-4859-bfe9-403373a17945","log":"fact"}',NULL);
INSERT INTO notice VALUES (3,1795550054271,'hole','t-3','{"epoch":"4e6284c3-1eea-45a3-9c92-98dcf6684001","first":1,"last":2,"log":"fact"}',NULL);
INSERT INTO document VALUES ('t-1','list/c-1/2026-11-25',2,X'160041CE33907B3A6FCDB22A63F1D1ED16E5E17A8ABA1342E866B3EE50A65D45',X'3EA602F9313494E2C78EE71D5B060F133CD32C69D2BC5F64CA5A4B910E6EC344','{"v":1,"contract":"c-1","date":"2026-11-25","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[{"epoch":"6d6ecf7d-6247-4418-bc5e-08d705adac07","seq":7}],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a20f1f-877d-7159-82b0-f851e3b5c831","terminal":"t-2","at":"2026-11-24T19:54:14.269187333Z","result":{"not_collected":{"reason":"not_out"}}}],"own":{"fact":"01a20f1f-8778-76cc-bec2-1125e63226e4","terminal":"t-1","at":"2026-11-24T19:54:14.264922487Z","result":"collected"}},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a20f1f-8779-748c-b4c0-2c0d77903725","terminal":"t-1","at":"2026-11-24T19:54:14.265008315Z","result":{"not_collected":{"reason":"other","note":"e14ac1011f617df3d59b710f2140deb288830cabd0139bb8fdccb00140257830"}}}},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","own":{"fact":"01a20f1f-8779-748c-b4c0-2c0eaacbc2c0","terminal":"t-1","at":"2026-11-24T19:54:14.265026972Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO document VALUES ('t-2','list/c-1/2026-11-25',1,X'FF275E6301266F5D276CE4C6C18B7462CD79A3122B05228C41D8CBFF95177FD6',X'FF275E6301266F5D276CE4C6C18B7462CD79A3122B05228C41D8CBFF95177FD6','{"v":1,"contract":"c-1","date":"2026-11-25","contractor":"第一収集","vehicle":"1号車","round":"中区A","seen":[],"pickups":[{"id":"cf277259-c220-8ad2-af4f-74859a68bb3c","order":1,"reception":"0001","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a20f1f-8778-76cc-bec2-1125e63226e4","terminal":"t-1","at":"2026-11-24T19:54:14.264922487Z","result":"collected"}]},{"id":"5b0015ff-4e7e-8586-a9d7-258fafc35c44","order":2,"reception":"0002","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"42097fa3-467f-8d8f-915f-2925172640d2","order":3,"reception":"0003","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a20f1f-8779-748c-b4c0-2c0d77903725","terminal":"t-1","at":"2026-11-24T19:54:14.265008315Z","result":{"not_collected":{"reason":"other"}}}]},{"id":"f5d94baf-c1d0-8270-ac62-30ee45e255b8","order":4,"reception":"0004","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned","others":[{"fact":"01a20f1f-8779-748c-b4c0-2c0eaacbc2c0","terminal":"t-1","at":"2026-11-24T19:54:14.265026972Z","result":{"partly":{"items":[{"item":0,"collected":1},{"item":1,"collected":1,"reason":"ticket_short"}]}}}]},{"id":"67002a53-b1d8-848e-81f5-316289741874","order":5,"reception":"0005","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"da40ec57-18d2-88ae-9ca0-33a54c311374","order":6,"reception":"0006","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"ff383fde-ea60-8963-9e16-5a35831be821","order":7,"reception":"0007","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"0e91cca6-6899-8582-8a9e-13e357bc59c1","order":8,"reception":"0008","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"17f0617c-2472-8b82-93f2-5acf4d5d3c35","order":9,"reception":"0009","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"fe3b0367-74bc-819c-ab9f-b4fe771e7f22","order":10,"reception":"0010","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"4a2fcb68-5411-89dd-9cb7-c19b299bcfd2","order":11,"reception":"0011","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"},{"id":"c07118b7-3309-8589-af5a-cc8ee0dd2589","order":12,"reception":"0012","place":{"ward":"中区","town":"本川町"},"items":[{"name":"タンス","count":1},{"name":"椅子","count":2}],"payment":"tickets","office":"planned"}]}');
INSERT INTO health VALUES (4,1,1795550054270,'kept',0,1073741824);
INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('history',18);
CREATE INDEX pickup_round ON pickup (date, contract, vehicle, stop);
CREATE INDEX pickup_reception ON pickup (reception, date);
CREATE INDEX pickup_attention ON pickup (date, state);
CREATE INDEX history_pickup ON history (pickup, id);
CREATE INDEX fact_pickup ON fact (pickup);
CREATE INDEX aside_open ON aside (settled_at, id);
CREATE INDEX aside_same ON aside (same) WHERE settled_at IS NULL AND same IS NOT NULL;
CREATE INDEX aside_whole ON aside (terminal) WHERE settled_at IS NULL AND same IS NOT NULL;
CREATE INDEX entry_id ON entry (id);
PRAGMA user_version = 5;
COMMIT;
