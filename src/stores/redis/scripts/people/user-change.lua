-- Changes fields of an account and counts its epoch up. KEYS: user, living tokens. ARGV: epochs to count, field, value, field, value …
-- Reply: { 1, the tokens that die with that }, or 0 when there is no account.
if redis.call('HEXISTS', KEYS[1], 'sub') == 0 then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HINCRBY', KEYS[1], 'epoch', ARGV[1])
return { 1, ARGV[1] == '0' and '' or live_tokens(KEYS[2]) }
