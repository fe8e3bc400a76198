-- Looks who has claimed a name or a unique value. KEYS: claims. ARGV: now or '', what was claimed.
-- Reply: { the tag or '' for nobody, milliseconds since it was claimed }.
local claim = redis.call('HGET', KEYS[1], ARGV[2])
if not claim then return { '', 0 } end
local owner, at = string.match(claim, '^(%S+) (%d+)$')
return { owner, time(ARGV[1]) - at }
