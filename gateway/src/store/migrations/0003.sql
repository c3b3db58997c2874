-- After a fork a terminal's entries come again under their ids.
CREATE INDEX entry_id ON entry (id);
