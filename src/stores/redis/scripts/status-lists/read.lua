-- What has become of the lists. KEYS: lists. ARGV: now or '', what stands before the name of a list's log, then in turn a list and how many of its
-- revoked tokens are known. Reply: for each list { name, how many are revoked, those that aren't known, five digits each }.
local known, reply = {}, {}
for i = 3, #ARGV, 2 do known[ARGV[i]] = tonumber(ARGV[i + 1]) end
for _, list in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', time(ARGV[1])), '+inf')) do
  local log, from = ARGV[2] .. list, known[list] or 0
  local count = redis.call('STRLEN', log) / 5
  -- Some were lost: all are told.
  if count < from then from = 0 end
  reply[#reply + 1] = { list, count, count > from and redis.call('GETRANGE', log, from * 5, -1) or '' }
end
return reply
