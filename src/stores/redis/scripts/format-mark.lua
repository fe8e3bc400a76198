-- Raises the store's format to that of this release, and reads it. KEYS: format. ARGV: written, readableFrom.
-- Reply: { written, readableFrom } as they are now; what a newer release has written stays.
local found = redis.call('HMGET', KEYS[1], 'written', 'readableFrom')
for i, field in ipairs({ 'written', 'readableFrom' }) do
  local now, own = tonumber(found[i] or '0'), tonumber(ARGV[i])
  if own > now then redis.call('HSET', KEYS[1], field, own) end
  found[i] = math.max(own, now)
end
return found
