-- Keeps a ticket in the place of the older one of its purpose. KEYS: user, ticket.
-- ARGV: now or '', the epoch that the account must have, hash, address, code or '', how many wrong codes void
-- the code, how long it lives in milliseconds. Reply: when it expires, or 0 where there is no such account.
if not has_account(KEYS[1]) or redis.call('HGET', KEYS[1], EPOCH) ~= ARGV[2] then return 0 end
local forMs = tonumber(ARGV[7])
local expiresAt = string.format('%.0f', time(ARGV[1]) + forMs)
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'hash', ARGV[3], 'epoch', ARGV[2], 'address', ARGV[4], 'code', ARGV[5],
  'tries', ARGV[6], 'expiresAt', expiresAt)
redis.call('PEXPIRE', KEYS[2], forMs)
return { expiresAt }
