-- Leases items of a way that are due. KEYS: items, due, since. ARGV: now or '', limit, leaseMs.
-- Reply: for each item its id, tries, age in milliseconds and content, one after the other.
local now, reply = time(ARGV[1]), {}
local dueUntil = string.format('%.0f', now)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', dueUntil, 'LIMIT', 0, ARGV[2])) do
  local tries, appendedAt, content = (redis.call('HGET', KEYS[1], id) or ''):match('^(%d+) (%d+) (.*)$')
  if tries then
    redis.call('HSET', KEYS[1], id, string.format('%d %s ', tries + 1, appendedAt) .. content)
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), id)
    reply[#reply + 1] = id
    reply[#reply + 1] = tries + 1
    -- A clock that ran backwards counts as no time passed.
    reply[#reply + 1] = math.max(0, now - tonumber(appendedAt))
    reply[#reply + 1] = content
  else
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
  end
end
return reply
