-- What is closed as not reported at a switchover: the open pickups of a contract, few among very many.
CREATE INDEX pickup_open ON pickup (contract, date) WHERE state = 'open';
