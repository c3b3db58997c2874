-- The reception system a file is of, and the days it is the whole of or has requests for, as JSON: so that a held file
-- is told from newer ones of the same days. Of imports from before nothing is known.
ALTER TABLE import ADD COLUMN source TEXT;
ALTER TABLE import ADD COLUMN days TEXT;
