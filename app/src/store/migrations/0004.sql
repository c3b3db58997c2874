-- Where the terminal's configurations have come to, as one JSON object (meguri_core::config::KeptConfig), and the SHA-256 of its
-- text: a state is written whole, in one transaction with all that follows from it.

CREATE TABLE config (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    state  TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;
