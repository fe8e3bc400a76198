-- Claims a name for a tag. KEYS: names. ARGV: folded name, tag, the tag whose claim may be taken over or ''.
-- Reply: the tag that has the name now.
local owner = redis.call('HGET', KEYS[1], ARGV[1])
if owner and owner ~= ARGV[3] then return owner end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
