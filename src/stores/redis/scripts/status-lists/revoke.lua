-- Sets bits. KEYS: lists, then for each list its bits and its log.
-- ARGV: now or '', then for each list its name, when it may go, and the indices, separated by commas.
-- Reply: how many bits were set that weren't before.
local now, count = time(ARGV[1]), 0
for i = 2, #KEYS, 2 do
  local at = 2 + (i - 2) / 2 * 3
  local goneAt, new = tonumber(ARGV[at + 1]), {}
  keep_list(KEYS[1], ARGV[at], goneAt, now)
  -- An index that is already set adds nothing.
  for idx in ARGV[at + 2]:gmatch('%d+') do
    if redis.call('SETBIT', KEYS[i], idx, 1) == 0 then new[#new + 1] = string.format('%05x', idx) end
  end
  if #new > 0 then
    redis.call('APPEND', KEYS[i + 1], table.concat(new))
    for _, key in ipairs({ KEYS[i], KEYS[i + 1] }) do
      redis.call('PEXPIRE', key, math.max(1, goneAt - now))
    end
    count = count + #new
  end
end
return count
