-- Gives a name up, if the tag still has it. KEYS: names. ARGV: folded name, tag.
local claim = redis.call('HGET', KEYS[1], ARGV[1])
if claim and string.match(claim, '^%S+') == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
