-- Ends a family. KEYS: user, family, living tokens. ARGV: now or '', clientId or '' for an operator, sid.
-- Reply: { an EndOutcome, the family's living tokens }.

-- R1
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return { 'family_unknown' } end

-- R2: another client's call changes nothing.
if ARGV[2] ~= '' and ARGV[2] ~= f.client then return { 'client_mismatch' } end

-- A family that is dead by the clock gets its tombstone too: the clock may go back, the answer may not.
local at = instant_for(f, time(ARGV[1]))
local reason = why_dead(f, user, at)
f.ended = 1
write_family(KEYS[2], f, at)
return { reason and 'already_ended' or 'ended', live_tokens(KEYS[3], ARGV[3]) }
