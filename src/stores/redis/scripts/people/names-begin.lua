-- Takes the one hash of names out of the reach of earlier releases. KEYS: the hash, what it is called from
-- now on (in the same slot). ARGV: the text that stands in its place.
-- A claim is made before this, and goes along, or after it, and meets the text.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('RENAME', KEYS[1], KEYS[2])
elseif kind == 'hash' then
  -- Data of another time came back while names were leaving.
  local claims = redis.call('HGETALL', KEYS[1])
  for i = 1, #claims, 2 do redis.call('HSETNX', KEYS[2], claims[i], claims[i + 1]) end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
