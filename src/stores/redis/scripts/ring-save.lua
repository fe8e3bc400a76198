-- Replaces the key ring if nobody has since it was read. KEYS: ring. ARGV: version read, keys (JSON). Reply: 1 or 0.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', tonumber(version) + 1, 'keys', ARGV[2])
return 1
