-- All that the front page counts of a day's pickups stands in one index, in the order in which it is counted, so that
-- a day is read without its pickups' rows. It takes the place of the one by day and state.
DROP INDEX pickup_attention;
CREATE INDEX pickup_day ON pickup (date, contract, vehicle, ward, state, reason, said_at, received_at, contradictions);
