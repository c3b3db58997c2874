-- SHA-256 over the topic's SHA-256 and the whole payload (nothing, where one message stands for all of its topic), of a
-- message or a note that is no entry: what lies open under the same digest is not set aside a second time.
ALTER TABLE aside ADD COLUMN same BLOB;
CREATE INDEX aside_same ON aside (same) WHERE settled_at IS NULL AND same IS NOT NULL;
CREATE INDEX aside_whole ON aside (terminal) WHERE settled_at IS NULL AND same IS NOT NULL;
