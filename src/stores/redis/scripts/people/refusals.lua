-- Adds to the record of refused logins. KEYS: of each group a hash of name -> JSON, and a sorted set of its
-- names by their last refusal. ARGV: now or '', keepMs, names, refusals (the bounds), then for each name: its
-- group (by its place), the name, its refusals as JSON.
-- mergeRefusals (stores/ports/logins/refusals.ts) says the same in TypeScript; one contract test runs on
-- both.
local now, keepMs = time(ARGV[1]), tonumber(ARGV[2])
local mostNames, mostRefusals = tonumber(ARGV[3]), tonumber(ARGV[4])
-- So many go with one call at most, more than come with one: a long pause must not make a long step.
local SWEEP = 500

local function is_alike (a, b)
  return a.reason == b.reason and a.tag == b.tag and a.clientId == b.clientId and a.network == b.network
end

local function merge (newer, older)
  local merged, taken = {}, {}
  for _, refusal in ipairs(newer) do
    for i, other in ipairs(older) do
      if not taken[i] and is_alike(refusal, other) then
        taken[i] = true
        refusal.count, refusal.firstAt = refusal.count + other.count, other.firstAt
      end
    end
    merged[#merged + 1] = refusal
  end
  for i, other in ipairs(older) do
    if not taken[i] then merged[#merged + 1] = other end
  end
  while #merged > mostRefusals do table.remove(merged) end
  return merged
end

local function drop (group, names)
  if #names == 0 then return end
  redis.call('HDEL', KEYS[2 * group - 1], unpack(names))
  redis.call('ZREM', KEYS[2 * group], unpack(names))
end

for i = 5, #ARGV, 3 do
  local group, name, newer = tonumber(ARGV[i]), ARGV[i + 1], cjson.decode(ARGV[i + 2])
  local key = KEYS[2 * group - 1]
  local older = redis.call('HGET', key, name)
  redis.call('HSET', key, name, cjson.encode(merge(newer, older and cjson.decode(older) or {})))
  redis.call('ZADD', KEYS[2 * group], now, name)
end

for group = 1, #KEYS / 2 do
  local order = KEYS[2 * group]
  local expired = string.format('%.0f', now - keepMs)
  drop(group, redis.call('ZRANGEBYSCORE', order, '-inf', expired, 'LIMIT', 0, SWEEP))
  local over = redis.call('ZCARD', order) - mostNames
  if over > 0 then drop(group, redis.call('ZRANGE', order, 0, math.min(over, SWEEP) - 1)) end
  redis.call('PEXPIRE', KEYS[2 * group - 1], keepMs)
  redis.call('PEXPIRE', order, keepMs)
end
return 1
