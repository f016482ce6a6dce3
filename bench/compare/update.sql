\set id random(1, :rows)
UPDATE KV SET value = 'changed to something that is about as long as it was before, one hundred bytes in all, as elsewhere.' WHERE id = :id;
