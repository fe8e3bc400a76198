-- Counts requests per address. KEYS: one per address.
-- ARGV: for each key its requests, then its window in milliseconds.
-- Reply: for each key its count in this window, then how long the window goes on, in milliseconds.
local reply = {}
for i, key in ipairs(KEYS) do
  local requests = tonumber(ARGV[2 * i - 1])
  local count = redis.call('INCRBY', key, requests)
  -- The first ones start the window.
  if count == requests then redis.call('PEXPIRE', key, ARGV[2 * i]) end
  reply[2 * i - 1], reply[2 * i] = count, redis.call('PTTL', key)
end
return reply
