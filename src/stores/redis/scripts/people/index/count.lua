-- How many names are claimed, for a server that has all of the keys. KEYS: the hashes of the claims.
local claimed = 0
for _, key in ipairs(KEYS) do claimed = claimed + redis.call('HLEN', key) end
return claimed
