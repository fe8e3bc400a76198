-- Removes an account. KEYS: user, living tokens, its tickets. ARGV: now or ''.
-- Reply: { folded name, its living tokens, its unique values }, or 0 when there is no account.
local folded = redis.call('HGET', KEYS[1], FOLDED)
if not folded then return 0 end

-- Its families are dead without it. Its epoch stays until the last of them has passed its absolute end, so
-- that a new account of the same sub doesn't bring them back.
local epoch, lastEnd, unique = unpack(redis.call('HMGET', KEYS[1], EPOCH, LAST_END, UNIQUE))
redis.call('DEL', KEYS[1], unpack(KEYS, 3))
local left = tonumber(lastEnd or '0') - time(ARGV[1])
if left > 0 then
  redis.call('HSET', KEYS[1], EPOCH, epoch, LAST_END, lastEnd)
  redis.call('PEXPIRE', KEYS[1], left)
end
return { folded, live_tokens(KEYS[2]), unique or '' }
