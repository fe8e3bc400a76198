-- Gives a name or a unique value up, if the tag still has it. KEYS: claims. ARGV: what was claimed, tag.
local claim = redis.call('HGET', KEYS[1], ARGV[1])
if claim and string.match(claim, '^%S+') == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
