-- Changes fields of an account and counts its epoch up. KEYS: user, living tokens.
-- ARGV: now or '', the version that the account must have or '', by how much to count, field, value, field,
-- value … Reply: { 1, the tokens that die with that }, { 'superseded' } where it has another version, or 0
-- when there is no account.
if not has_account(KEYS[1]) then return 0 end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[1], VERSION) or '0') ~= ARGV[2] then return { 'superseded' } end
if #ARGV > 3 then
  redis.call('HSET', KEYS[1], UPDATED, string.format('%.0f', time(ARGV[1])), unpack(ARGV, 4))
  redis.call('HINCRBY', KEYS[1], VERSION, 1)
end
redis.call('HINCRBY', KEYS[1], EPOCH, ARGV[3])
return { 1, ARGV[3] == '0' and '' or live_tokens(KEYS[2]) }
