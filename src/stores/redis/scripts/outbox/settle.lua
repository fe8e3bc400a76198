-- Ends a lease. KEYS: items, due, since. ARGV: now or "", id, tries of the lease, and in how many
-- milliseconds the item is due again; "": it is removed.
-- Reply: 1, or 0 when the item is gone or leased to somebody else since.
local tries = (redis.call('HGET', KEYS[1], ARGV[2]) or ''):match('^%d+')
if tries ~= ARGV[3] then return 0 end
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[2], time(ARGV[1]) + tonumber(ARGV[4]), ARGV[2])
else
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[2])
end
return 1
