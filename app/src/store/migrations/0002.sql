-- The date that the crew has said is right, and the start of the device in which it said so.

ALTER TABLE terminal ADD COLUMN confirmed_date TEXT;
ALTER TABLE terminal ADD COLUMN confirmed_in BLOB;
