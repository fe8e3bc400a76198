-- Appends items to the outbox: all of them, or none. KEYS: items; then per item the way's due and since.
-- ARGV: now or '', how many items of a way there may be; then per item its id and its content.
-- Reply: 1, or 0 when there would be too many.
-- An item is "tries appendedAt content". `due` has when it may be taken, `since` when it was appended.
local now, added, waiting = time(ARGV[1]), {}, {}
for i = 1, (#KEYS - 1) / 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[2 * i + 1]) == 0 then
    local since = KEYS[2 * i + 1]
    waiting[since] = (waiting[since] or redis.call('ZCARD', since)) + 1
    if waiting[since] > tonumber(ARGV[2]) then return 0 end
    added[#added + 1] = i
  end
end
for _, i in ipairs(added) do
  local id, content = ARGV[2 * i + 1], ARGV[2 * i + 2]
  redis.call('HSET', KEYS[1], id, string.format('0 %.0f ', now) .. content)
  redis.call('ZADD', KEYS[2 * i], now, id)
  redis.call('ZADD', KEYS[2 * i + 1], now, id)
end
return 1
