-- Leases a block of indices. KEYS: the hour, lists.
-- ARGV: now or '', when the hour's list may go, a name for a new list, a random number, how many blocks a
-- list has, what stands before the name of a list's owners, and the owner of the block or ''.
-- Reply: { list, block }.
local goneAt, blocks = tonumber(ARGV[2]), tonumber(ARGV[5])

-- One character per block: is it leased?
local list, leased = unpack(redis.call('HMGET', KEYS[1], 'list', 'leased'))
if not list or not leased:find('0', 1, true) then
  list, leased = ARGV[3], string.rep('0', blocks)
  keep_list(KEYS[2], list, goneAt, time(ARGV[1]))
end

-- The first free one from a random one on.
local free = leased:find('0', 1 + tonumber(ARGV[4]) % blocks, true) or leased:find('0', 1, true)
redis.call('HSET', KEYS[1], 'list', list, 'leased', leased:sub(1, free - 1) .. '1' .. leased:sub(free + 1))
redis.call('PEXPIRE', KEYS[1], math.max(1, goneAt - time(ARGV[1])))
if ARGV[7] ~= '' then
  redis.call('APPEND', ARGV[6] .. list, string.format('%03x', free - 1) .. ARGV[7])
  redis.call('PEXPIRE', ARGV[6] .. list, math.max(1, goneAt - time(ARGV[1])))
end
return { list, free - 1 }
