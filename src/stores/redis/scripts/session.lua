-- A living family as an operator sees it. KEYS: user, family. ARGV: now or ''.
-- Reply: { 'refused', reason } or { 'living', family, generation, lateCount }.
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return refused('family_unknown') end
local reason = why_dead(f, user, instant_for(f, time(ARGV[1])))
if reason then return refused(reason) end
return { 'living', family_reply(f), f.cur, f.late }
