-- Whether a refresh token would be taken as current. Changes nothing.
-- KEYS: user, family. ARGV: now or '', generation, reuseGraceMs.
-- Reply: { 'refused', reason } or { 'active', family, user }.

-- R1
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return refused('family_unknown') end

-- R3
local at = instant_for(f, time(ARGV[1]))
local reason = why_dead(f, user, at)
if reason then return refused(reason) end

-- R4, R5 and R7 would go on with it; R6 and R8 would burn or end something.
local rule = rule_for(f, tonumber(ARGV[2]), tonumber(ARGV[3]), at)
if rule == 'R6' or rule == 'R8' then return refused('superseded') end
return { 'active', family_reply(f), user_reply(user) }
