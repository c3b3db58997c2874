-- When an epoch was first seen to have forked: it stays closed, and people are told of it once.
ALTER TABLE log ADD COLUMN forked_at INTEGER;
UPDATE log SET forked_at = (
    SELECT min(at) FROM notice
    WHERE notice.kind = 'fork' AND notice.terminal = log.terminal AND detail ->> 'log' = log.kind
        AND replace(detail ->> 'epoch', '-', '') = lower(hex(log.epoch))
);
