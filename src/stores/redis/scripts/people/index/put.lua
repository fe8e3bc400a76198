-- Writes the entries of an account (people/index/entries.ts). KEYS: by creation, by text.
-- ARGV: when it was created, or '' for now; its entry by creation, which is given one for the instant 0; its
-- entries by text. Reply: { when it was created }.
local at = string.format('%014.0f', time(ARGV[1]))
redis.call('ZADD', KEYS[1], 0, at .. ARGV[2]:sub(15))
-- Many at once; Lua unpacks some thousands at most.
for first = 3, #ARGV, 500 do
  local texts = {}
  for each = first, math.min(first + 499, #ARGV) do
    texts[#texts + 1] = 0
    texts[#texts + 1] = ARGV[each]
  end
  redis.call('ZADD', KEYS[2], unpack(texts))
end
return { at }
