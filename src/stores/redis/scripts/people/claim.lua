-- Claims a name or a unique value for a tag. KEYS: claims.
-- ARGV: now or '', what is wanted, tag, the tag whose claim may be taken over or ''.
-- A claim is kept as "tag instant"; a tag that claims what it has gets another instant, so that whoever would
-- give the earlier claim up leaves this one alone.
-- Reply: { the tag that has it now, milliseconds since it was claimed }.
local now = time(ARGV[1])
local claim = redis.call('HGET', KEYS[1], ARGV[2])
if claim then
  local owner, at = string.match(claim, '^(%S+) (%d+)$')
  if owner == ARGV[3] then
    now = math.max(now, at + 1)
  elseif owner ~= ARGV[4] then
    return { owner, now - at }
  end
end
redis.call('HSET', KEYS[1], ARGV[2], string.format('%s %.0f', ARGV[3], now))
return { ARGV[3], 0 }
