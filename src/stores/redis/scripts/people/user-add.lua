-- Writes a new account's record. KEYS: user. ARGV: when it was created, field, value, field, value …
-- Reply: 1, or 0 when the record is there already.
if has_account(KEYS[1]) then return 0 end

-- A removed account of the same sub has left its epoch: counting on from there keeps its sessions dead.
redis.call('HINCRBY', KEYS[1], EPOCH, 1)
redis.call('HSET', KEYS[1], CREATED, ARGV[1], unpack(ARGV, 2))
redis.call('PERSIST', KEYS[1])
return 1
