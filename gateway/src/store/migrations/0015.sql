-- People whom the city's identity provider vouches for, by its own name of them (OpenID Connect: issuer and subject), never by an
-- address or a name that somebody else may have later.
CREATE TABLE identity (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    person  INTEGER NOT NULL UNIQUE REFERENCES person (id),
    made_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Until when a password is taken where passwords are for emergencies alone.
ALTER TABLE person ADD COLUMN password_until INTEGER;
