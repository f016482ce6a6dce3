\set id random(1000000000, 9000000000000000)
INSERT INTO KV VALUES (:id, 'something new that is about as long as what is there, that is one hundred bytes, as it is elsewhere.');
