-- Writes a family's record again as it is, so that whoever waits for replicas has something to wait for.
-- KEYS: user, family. Reply: { cur, ended }, cur being 0 where the family is unknown.
local f = read_family(KEYS[2])
if not f then return { 0, 0 } end
redis.call('SET', KEYS[2], redis.call('GET', KEYS[2]), 'KEEPTTL')
return { f.cur, f.ended }
