-- One step of a walk over the keys of the node that has the user: its living families among them, for a user
-- without an index of sessions.
-- KEYS: user. ARGV: now or '', cursor, pattern of the user's family keys, how many keys to look at.
-- Reply: { next cursor, { { key, family, session }, … } }.
local user = read_user(KEYS[1])
if not user then return { '0', {} } end

local now = time(ARGV[1])
local found = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', ARGV[4])
local living = {}
for _, key in ipairs(found[2]) do
  local f = read_family(key)
  if f and not why_dead(f, user, instant_for(f, now)) then
    living[#living + 1] = { key, family_reply(f), session_reply(f) }
  end
end
return { found[1], living }
