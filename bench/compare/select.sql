\set id random(1, :rows)
SELECT value FROM KV WHERE id = :id;
