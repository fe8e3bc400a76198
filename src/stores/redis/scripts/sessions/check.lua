-- Whether an access token lives. KEYS: user, family, revocation. ARGV: now or ''.
-- Reply: { 'refused', reason } or { 'active', user, in how many ms the session ends by itself }.
if redis.call('EXISTS', KEYS[3]) == 1 then return refused('token_revoked') end

-- R1 and R3: it lives no longer than its family.
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return refused('family_unknown') end
local at = instant_for(f, time(ARGV[1]))
local reason = why_dead(f, user, at)
if reason then return refused(reason) end
return { 'active', user_reply(user), math.min(f.idleUntil, f.endsAt) - at }
