-- What waits for a way. KEYS: since. ARGV: now or ''. Reply: { length, age of the oldest in milliseconds }.
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local age = oldest and math.max(0, time(ARGV[1]) - tonumber(oldest)) or 0
return { redis.call('ZCARD', KEYS[1]), age }
