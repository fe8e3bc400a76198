-- What has become of the lists. KEYS: lists.
-- ARGV: now or '', what stands before the name of a list's log, the same of its owners, the length of an
-- owned block, then in turn a list, and how many of its revoked tokens and owned blocks are known.
-- Reply: for each list { name, how many are revoked, those that aren't known, how many blocks are owned,
-- those that aren't known }.
local known, reply = {}, {}
for i = 5, #ARGV, 3 do known[ARGV[i]] = { tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) } end

-- How many records a key has, and those behind the ones that are known; all of them where some were lost.
local function news (key, length, from)
  local count = redis.call('STRLEN', key) / length
  if count < from then from = 0 end
  return count, count > from and redis.call('GETRANGE', key, from * length, -1) or ''
end

for _, list in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', time(ARGV[1])), '+inf')) do
  local from = known[list] or { 0, 0 }
  local count, revoked = news(ARGV[2] .. list, 5, from[1])
  local blocks, owned = news(ARGV[3] .. list, tonumber(ARGV[4]), from[2])
  reply[#reply + 1] = { list, count, revoked, blocks, owned }
end
return reply
