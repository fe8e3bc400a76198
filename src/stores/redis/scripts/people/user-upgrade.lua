-- Replaces a password hash if it still is the expected one; sessions live on.
-- KEYS: user. ARGV: from, to. Reply: 1 or 0.
if redis.call('HGET', KEYS[1], HASH) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], HASH, ARGV[2])
return 1
