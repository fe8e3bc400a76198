-- Exchanges a refresh token whose tag was found right (R0 is behind us).
-- KEYS: user, family, living tokens.
-- ARGV: now or '', generation, clientId, idleMs, reuseGraceMs, lateRetry, jkt or '', wanted scope, wanted
-- audience (JSON), the new token or '', how long it lives, sid, when it was asked for by this server's clock
-- or ''.
-- Reply: { 'too_late' }, { 'refused', reason } or { kind, generation to go on with, family, user }; 'reused'
-- puts the living tokens behind that.
local t, client = tonumber(ARGV[2]), ARGV[3]
local idleMs, graceMs, lateRetry = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]

-- So late nobody waits any more. A request that a network held back must not be taken for an old token: its
-- owner has gone on through another server.
local TOO_LATE_MS = 1000
local now = time(ARGV[1])
if ARGV[13] ~= '' and now - tonumber(ARGV[13]) > TOO_LATE_MS then return { 'too_late' } end

-- R1: no such family.
local user, f = read_both(KEYS[1], KEYS[2])
if not f then return refused('family_unknown') end

-- R2: another client, or another key than the bound one; nothing changes, so a stranger can't end the family.
if f.client ~= client then return refused('client_mismatch') end
if f.jkt ~= '' and f.jkt ~= ARGV[7] then return refused('key_mismatch') end

-- R3: ended, past an end, the user disabled or all sessions ended since.
local at = instant_for(f, now)
local reason = why_dead(f, user, at)
if reason then return refused(reason) end

-- An access token will come of it.
local function answer (kind)
  if is_untidy(KEYS[3], f.cur) then forget_expired_tokens(KEYS[3], at) end
  note_token(KEYS[3], ARGV[10], tonumber(ARGV[11]), at)
  return { kind, f.cur, family_reply(f), user_reply(user) }
end

-- Every exchange notes its time and moves the idle end on, never beyond the absolute one.
local function advance (prev, cur)
  f.prev, f.cur, f.curAt = prev, cur, at
  f.idleUntil = math.min(at + idleMs, f.endsAt)
  if f.rest == '' then
    f.rest = NO_DEVICE
    add_to_index(KEYS[1], ARGV[12], at)
  end
  write_family(KEYS[2], f, at)
end

local rule = rule_for(f, t, graceMs, at)

-- R8: stale, or late where that isn't forgiven. REUSE: the family ends, and with it its access tokens,
-- whatever is asked for.
if rule == 'R8' or rule == 'R6' and lateRetry ~= 'burn' then
  f.ended = 1
  write_family(KEYS[2], f, at)
  return { 'reused', f.cur, family_reply(f), user_reply(user), live_tokens(KEYS[3], ARGV[12]) }
end

-- Who asks for more than was granted spends nothing.
local wider = why_wider(f, ARGV[8], ARGV[9])
if wider then return refused(wider) end

-- R4: the current token. ROTATE.
if rule == 'R4' then
  advance(t, t + 1)
  return answer('rotated')
end

-- R5: the one before it, soon after: a lost answer, a second tab. REPLAY the same successor, change nothing.
if rule == 'R5' then return answer('replayed') end

-- R6: the one before it, later. LATE: burn the successor that nobody has confirmed; whoever holds it will
-- meet R8.
if rule == 'R6' then
  f.late = f.late + 1
  advance(f.prev, f.cur + 1)
  return answer('late')
end

-- R7: ahead of us, and its tag proves that we issued it: a failover lost writes. HEAL.
advance(t, t + 1)
return answer('healed')
