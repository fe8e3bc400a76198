-- The living families of a user by the index of them, as an operator sees them.
-- KEYS: user, any family of the user. ARGV: now or ''.
-- Reply: { 1, { { sid, family, session }, … } }, or 0 where a walk has to find them: what is opened from
-- now on is collected meanwhile.
local user = read_user(KEYS[1])
if not user then return { 1, {} } end

local now = time(ARGV[1])
local sids, complete = read_index(KEYS[1], now)
if not complete then
  write_index(KEYS[1], sids or {}, false)
  return 0
end

local living = {}
for _, sid in ipairs(sids) do
  local f = read_family(family_key(KEYS[2], sid))
  if f and not why_dead(f, user, instant_for(f, now)) then
    living[#living + 1] = { sid, family_reply(f), session_reply(f) }
  end
end
return { 1, living }
