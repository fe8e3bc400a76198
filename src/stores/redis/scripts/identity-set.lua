-- Sets the store's identity if it still is the one that was seen.
-- KEYS: the first mark. ARGV: seen or '', new. Reply: the identity that is there now.
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
