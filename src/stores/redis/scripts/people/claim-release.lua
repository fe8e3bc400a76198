-- Gives a name or a unique value up, if the tag still has it. KEYS: claims.
-- ARGV: what was claimed, tag, the claim as it was read or '' for any of the tag.
local claim = redis.call('HGET', KEYS[1], ARGV[1])
if not claim or string.match(claim, '^%S+') ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' and ARGV[3] ~= claim then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
