-- Writes a new account's record. KEYS: user. ARGV: now or '', sub, name, folded, hash, scopes, roles, disabled.
-- Reply: 1, or 0 when the record is there already.
if redis.call('HEXISTS', KEYS[1], 'sub') == 1 then return 0 end

-- An account that was removed has left its epoch; going on from there keeps its sessions dead.
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'sub', ARGV[2], 'name', ARGV[3], 'folded', ARGV[4], 'hash', ARGV[5],
  'scopes', ARGV[6], 'roles', ARGV[7], 'disabled', ARGV[8], 'created', string.format('%.0f', time(ARGV[1])))
redis.call('PERSIST', KEYS[1])
return 1
