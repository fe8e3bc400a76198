-- Whether an access token lives. KEYS: user, family, revocation. ARGV: now or ''.
-- Reply: { 'refused', reason } or { 'active', user }.
if redis.call('EXISTS', KEYS[3]) == 1 then return refused('token_revoked') end

-- R1 and R3: it lives no longer than its family.
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return refused('family_unknown') end
local reason = why_dead(f, user, instant_for(f, time(ARGV[1])))
if reason then return refused(reason) end
return { 'active', user_reply(user) }
