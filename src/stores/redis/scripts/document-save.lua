-- Replaces a document if nobody has since it was read. KEYS: document. ARGV: version read, content (JSON).
-- Reply: 1 or 0.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', tonumber(version) + 1, 'content', ARGV[2])
return 1
