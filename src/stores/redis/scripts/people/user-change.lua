-- Changes fields of an account and counts its epoch up. KEYS: user, living tokens.
-- ARGV: by how much to count, field, value, field, value …
-- Reply: { 1, the tokens that die with that }, or 0 when there is no account.
if not has_account(KEYS[1]) then return 0 end
if #ARGV > 1 then redis.call('HSET', KEYS[1], unpack(ARGV, 2)) end
redis.call('HINCRBY', KEYS[1], EPOCH, ARGV[1])
return { 1, ARGV[1] == '0' and '' or live_tokens(KEYS[2]) }
