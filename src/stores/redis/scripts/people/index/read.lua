-- Reads accounts, for a server that has all of the keys. KEYS: the accounts. ARGV: their fields.
-- Reply: JSON, as the driver is dear with lists: for each account its fields, false for one that is missing.
local accounts = {}
for each, key in ipairs(KEYS) do accounts[each] = redis.call('HMGET', key, unpack(ARGV)) end
return cjson.encode(accounts)
