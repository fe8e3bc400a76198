-- Starts a family, if the user is still there, enabled and in the epoch in which the password was checked.
-- KEYS: user, family, living tokens.
-- ARGV: now or '', epoch, clientId, scope, audience (JSON), idleMs, absoluteMs, jkt or '', the new token or
-- '', how long it lives, device name, User-Agent's family, network, each or ''.
-- Reply: { 'refused', reason } or { 'opened', family, user }.
local epoch, idleMs, absoluteMs = tonumber(ARGV[2]), tonumber(ARGV[6]), tonumber(ARGV[7])

-- Lost against "remove", "disable" or "end all sessions".
local user = read_user(KEYS[1])
if not user then return refused('user_unknown') end
local locked = why_locked(user, epoch)
if locked then return refused(locked) end

-- A repeated call finds its own family and answers as the first one did.
local now = time(ARGV[1])
local f = read_family(KEYS[2])
if f then
  local reason = why_dead(f, user, instant_for(f, now))
  if reason then return refused(reason) end
  note_token(KEYS[3], ARGV[9], tonumber(ARGV[10]), now)
  return { 'opened', family_reply(f), user_reply(user) }
end

local endsAt = now + absoluteMs
f = {
  prev = 0, cur = 1, late = 0, epoch = epoch,
  curAt = now, startedAt = now, idleUntil = math.min(now + idleMs, endsAt), endsAt = endsAt,
  ended = 0, client = ARGV[3], jkt = ARGV[8], scope = ARGV[4], audience = ARGV[5],
  rest = struct.pack(DEVICE, ARGV[11], ARGV[12], ARGV[13]),
}
write_family(KEYS[2], f, now)
if is_untidy(KEYS[3], 0) then forget_expired_tokens(KEYS[3], now) end
note_token(KEYS[3], ARGV[9], tonumber(ARGV[10]), now)

-- Before the end of the last session moves on.
local sids, complete = read_index(KEYS[1], now)

-- A removed account's epoch is kept until then: otherwise its sessions would come back with a new account of
-- the same sub.
local lastEnd = tonumber(redis.call('HGET', KEYS[1], LAST_END) or '0')
if endsAt > lastEnd then redis.call('HSET', KEYS[1], LAST_END, string.format('%.0f', endsAt)) end

if sids then
  drop_some_dead(sids, KEYS[2], user)
  sids[#sids + 1] = KEYS[2]:match('[^:]*$')
  write_index(KEYS[1], sids, complete)
end

return { 'opened', family_reply(f), user_reply(user) }
