-- Stands before every other script. R1 to R8 are the rules of docs/architecture.md, "The refresh family".

-- A family is one packed value: prev, cur, lateCount, epoch | curAt, startedAt, idleUntil, endsAt | ended |
-- client, jkt, scope, audience.
-- Every field that changes has a fixed width, so that the record's size doesn't depend on its age.
local RECORD = '>I4I4I4I4ddddBssss'

-- The server's own clock in milliseconds, unless a test gave its own.
local function time (given)
  if given ~= '' then return tonumber(given) end
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- Behind that: device name, User-Agent's family, network; a session of an earlier release has none of them.
local DEVICE = '>sss'
local NO_DEVICE = struct.pack(DEVICE, '', '', '')

local function read_family (key)
  local packed = redis.call('GET', key)
  if not packed then return nil end
  local f, behind = {}, 0
  f.prev, f.cur, f.late, f.epoch,
    f.curAt, f.startedAt, f.idleUntil, f.endsAt,
    f.ended, f.client, f.jkt, f.scope, f.audience, behind = struct.unpack(RECORD, packed)
  -- The device, and what a newer release has put behind our fields, is put back with them.
  f.rest = packed:sub(behind)
  return f
end

-- A living family's key goes when it is idle, a tombstone at the absolute end. The span is relative to the
-- instant by which the family is judged; it is never below 1 ms, which Redis would refuse.
local function write_family (key, f, at)
  local packed = struct.pack(RECORD,
    f.prev, f.cur, f.late, f.epoch,
    f.curAt, f.startedAt, f.idleUntil, f.endsAt,
    f.ended, f.client, f.jkt, f.scope, f.audience) .. (f.rest or '')
  local goneAt = f.ended == 1 and f.endsAt or f.idleUntil
  redis.call('SET', key, packed, 'PX', math.max(1, goneAt - at))
end

-- A removed account leaves its epoch, but no sub. The fields are named by people/account-record.ts.
local function has_account (key) return redis.call('HEXISTS', key, SUB) == 1 end

-- The subject of a session; nil when there is no account.
local function read_user (key)
  local v = redis.call('HMGET', key, SUB, DISABLED, EPOCH, unpack(USER))
  if not v[1] then return nil end
  return { disabled = v[2] == '1', epoch = tonumber(v[3]), answered = { unpack(v, 4) } }
end

-- R1: a family without its user is none either.
local function read_both (userKey, familyKey)
  local user = read_user(userKey)
  return user, user and read_family(familyKey)
end

-- A clock that ran backwards counts as no time passed.
local function instant_for (f, now)
  return math.max(now, f.curAt)
end

-- Why nobody may hold a session of this epoch.
local function why_locked (user, epoch)
  if user.disabled then return 'user_disabled' end
  if user.epoch ~= epoch then return 'sessions_ended' end
  return nil
end

-- R3
local function why_dead (f, user, at)
  if f.ended == 1 then return 'family_ended' end
  if at >= f.endsAt then return 'family_expired' end
  if at >= f.idleUntil then return 'family_idle' end
  return why_locked(user, f.epoch)
end

-- Which of R4 to R8 fits generation t.
local function rule_for (f, t, graceMs, at)
  if t == f.cur then return 'R4' end
  if t == f.prev then
    if at - f.curAt <= graceMs then return 'R5' end
    return 'R6'
  end
  if t > f.cur and t <= f.cur + 2 then return 'R7' end
  return 'R8'
end

-- What is asked for beyond what was granted. `scope` is space-separated, `audience` a JSON list; both may be
-- empty.
local function why_wider (f, scope, audience)
  local held = {}
  for token in f.scope:gmatch('%S+') do held[token] = true end
  for token in scope:gmatch('%S+') do
    if not held[token] then return 'scope_wider' end
  end
  held = {}
  for _, name in ipairs(cjson.decode(f.audience)) do held[name] = true end
  for _, name in ipairs(cjson.decode(audience)) do
    if not held[name] then return 'audience_wider' end
  end
  return nil
end

-- The index of a user's sessions, a field of the account: "lastEnd sid sid …". It counts for as long as its
-- lastEnd is the account's: a login at a server of an earlier release moves that one alone. "lastEnd? sid …"
-- collects only what was opened since a walk began.
local MAX_INDEXED = 256
local CHECKED_AT_LOGIN = 4

-- The sids that are known, and whether they are all; nil where there is no index.
local function read_index (userKey, now)
  local lastEnd, index = unpack(redis.call('HMGET', userKey, LAST_END, INDEX))
  local mark, walking, listed = (index or ''):match('^(%d+)(%??)(.*)$')
  if not mark or mark ~= lastEnd then
    if tonumber(lastEnd or '0') <= now then return {}, true end
    return nil, false
  end
  local sids = {}
  for sid in listed:gmatch('%S+') do sids[#sids + 1] = sid end
  return sids, walking == ''
end

-- More than these are found by a walk again.
local function write_index (userKey, sids, complete)
  if #sids > MAX_INDEXED then return redis.call('HDEL', userKey, INDEX) end
  local mark = redis.call('HGET', userKey, LAST_END) .. (complete and '' or '?')
  redis.call('HSET', userKey, INDEX, mark .. ' ' .. table.concat(sids, ' '))
end

-- A session that an earlier release has opened.
local function add_to_index (userKey, sid, now)
  local sids, complete = read_index(userKey, now)
  if not sids then return end
  for _, known in ipairs(sids) do
    if known == sid then return end
  end
  sids[#sids + 1] = sid
  write_index(userKey, sids, complete)
end

local function family_key (anyFamily, sid) return anyFamily:gsub('[^:]*$', '') .. sid end

-- Whether a session is gone for good. One that is only past its end lives again where the clock is set back:
-- its key goes by itself.
local function is_gone (f, user)
  return not f or f.ended == 1 or why_locked(user, f.epoch) ~= nil
end

-- Each login adds one and looks at a few of those that were looked at last: at most a quarter of the index
-- stays dead.
local function drop_some_dead (sids, familyKey, user)
  for _ = 1, math.min(CHECKED_AT_LOGIN, #sids) do
    local sid = table.remove(sids, 1)
    local f = read_family(family_key(familyKey, sid))
    if not is_gone(f, user) then sids[#sids + 1] = sid end
  end
end

-- The living tokens of a user that have a status, in one of two forms. Hash: "sid list" → 13 digits for each
-- token of that session in that list, the oldest first: when it expires, in seconds, and its index. What
-- would make the field long is set aside under "sid list LAST", where LAST is 13 digits too: when the last
-- of those expires, and an index. So a refresh costs the same, however many were before it. Sorted set: "sid
-- list idx" by that instant; earlier releases know no other form.
local DIGITS = 13
local TOKENS_A_FIELD = 64

local function digits_of (expires, idx) return string.format('%08x%05x', expires, idx) end

-- What is left of a field by then; a token behind one that lives longer stays for as long.
local function living_of (digits, at)
  local from = 1
  while from < #digits and tonumber(digits:sub(from, from + 7), 16) <= at / 1000 do from = from + DIGITS end
  return digits:sub(from)
end

-- The name under which a full field is set aside.
local function name_aside (field, digits)
  local last = ''
  for token in digits:gmatch(('%x'):rep(DIGITS)) do
    if token > last then last = token end
  end
  return field .. ' ' .. last
end

-- Adds a token to the hash.
local function add_token (key, field, token, at)
  local before = living_of(redis.call('HGET', key, field) or '', at)
  if #before >= TOKENS_A_FIELD * DIGITS then
    redis.call('HSET', key, name_aside(field, before), before)
    before = ''
  end
  redis.call('HSET', key, field, before .. token)
end

-- From a sorted set to a hash.
local function gather_tokens (key)
  local leftMs, tokens, fields = redis.call('PTTL', key), redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), {}
  redis.call('DEL', key)
  for i = 1, #tokens, 2 do
    local field, idx = tokens[i]:match('^(%S+ %S+) (%d+)$')
    fields[field] = (fields[field] or '') .. digits_of(tokens[i + 1], idx)
  end
  for field, digits in pairs(fields) do redis.call('HSET', key, field, digits) end
  redis.call('PEXPIRE', key, leftMs)
end

-- Notes a token that is about to be issued; `token` is "sid list idx", empty for none, and a * behind that
-- where no server of an earlier release is left. The key outlives its last token by as long again, so that
-- its expiry is seldom set anew.
local function note_token (key, token, forMs, at)
  if token == '' then return end
  local field, idx, compact = token:match('^(%S+ %S+) (%d+)(%*?)$')
  local form, expires = redis.call('TYPE', key).ok, math.ceil((at + forMs) / 1000)
  if form == 'hash' or compact == '*' then
    if form == 'zset' then gather_tokens(key) end
    add_token(key, field, digits_of(expires, idx), at)
  else
    redis.call('ZADD', key, expires, token)
  end
  if redis.call('PTTL', key) < forMs then redis.call('PEXPIRE', key, math.ceil(2 * forMs)) end
end

-- How many fields were left when it was tidied last, in a field of its own; none where there were few. Many
-- fields are looked at in turn, some at a time: where HSCAN goes on, in another field.
local TIDIED, FEW_FIELDS = 'tidied', 8
local NEXT_PIECE, MANY_FIELDS, A_PIECE = 'next', 512, 16

-- `fields`: each with what is in it.
local function forget_expired_of (key, fields, at)
  for i = 1, #fields, 2 do
    local field = fields[i]
    local before = field:match('^%S+ %S+ (%x+)$') or fields[i + 1]
    local left = living_of(before, at)
    if left == '' then redis.call('HDEL', key, field)
    elseif left ~= before then redis.call('HSET', key, field, left) end
  end
end

local function forget_expired_tokens (key, at)
  if redis.call('TYPE', key).ok ~= 'hash' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', math.floor(at / 1000))
    return
  end
  if redis.call('HLEN', key) > MANY_FIELDS then
    local cursor = redis.call('HGET', key, NEXT_PIECE) or '0'
    local piece = redis.call('HSCAN', key, cursor, 'COUNT', A_PIECE)
    forget_expired_of(key, piece[2], at)
    redis.call('HSET', key, NEXT_PIECE, piece[1])
    return
  end
  redis.call('HDEL', key, TIDIED, NEXT_PIECE)
  forget_expired_of(key, redis.call('HGETALL', key), at)
  local fields = redis.call('HLEN', key)
  if fields >= FEW_FIELDS then redis.call('HSET', key, TIDIED, fields) end
end

-- Whether it is time to, at the n-th exchange of a session; 0: its login. A few expired tokens may wait for
-- some exchanges, more until they are as many as what was left, and of many a piece is tidied at a time: so
-- tidying costs as much as noting, however much there is, and no call much.
local function is_untidy (key, exchange)
  local isHash = redis.call('TYPE', key).ok == 'hash'
  local fields = isHash and redis.call('HLEN', key) or 0
  if fields < FEW_FIELDS or fields > MANY_FIELDS then return exchange % 4 == 0 end
  return fields >= 2 * tonumber(redis.call('HGET', key, TIDIED) or FEW_FIELDS / 2)
end

local function is_of (token, sid) return token:sub(1, #sid + 1) == sid .. ' ' end

-- What a hash has of a session, or all that it has, each field with its tokens. Redis looks for them by
-- itself: to hand all fields of a busy user to a script takes eight times as long.
local function fields_of (key, sid)
  if not sid then return redis.call('HGETALL', key) end
  local found, cursor = {}, '0'
  repeat
    local piece = redis.call('HSCAN', key, cursor, 'MATCH', sid .. ' *', 'COUNT', 10000)
    cursor = piece[1]
    for _, each in ipairs(piece[2]) do found[#found + 1] = each end
  until cursor == '0'
  return found
end

-- All of them, or those of a session, as "sid list idx".
local function noted_tokens (key, sid)
  local tokens = {}
  if redis.call('TYPE', key).ok ~= 'hash' then
    for _, token in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if not sid or is_of(token, sid) then tokens[#tokens + 1] = token end
    end
    return tokens
  end
  local fields = fields_of(key, sid)
  for i = 1, #fields, 2 do
    for idx in fields[i + 1]:gmatch('%x%x%x%x%x%x%x%x(%x%x%x%x%x)') do
      tokens[#tokens + 1] = fields[i]:match('^%S+ %S+') .. ' ' .. tonumber(idx, 16)
    end
  end
  return tokens
end

-- The living tokens of a user, one a line; with a sid, only those of that family or of all others.
local function live_tokens (key, sid, others)
  local tokens, found = noted_tokens(key, not others and sid), {}
  if not others or not sid then return table.concat(tokens, '\n') end
  for _, token in ipairs(tokens) do
    if not is_of(token, sid) then found[#found + 1] = token end
  end
  return table.concat(found, '\n')
end

-- Counts a wrong code; the last one that is allowed voids the code.
local function count_wrong_code (key)
  if redis.call('HINCRBY', key, 'tries', -1) <= 0 then redis.call('HSET', key, 'code', '') end
  return 'ticket_code_wrong'
end

-- Why a ticket is no good; nil when it is. `presented`: its hash, or '' and then the hashes that its code may
-- have, separated by blanks; the address that the account has.
local function why_no_ticket (key, userKey, presented, now)
  local hash, codes, address = unpack(presented)
  local t = redis.call('HMGET', key, 'hash', 'epoch', 'address', 'code', 'expiresAt')
  if not t[1] or (hash ~= '' and hash ~= t[1]) then return 'ticket_unknown' end
  if now >= tonumber(t[5]) then return 'ticket_expired' end
  if hash == '' then
    local found = false
    for code in codes:gmatch('%S+') do found = found or code == t[4] end
    if not found then return count_wrong_code(key) end
  end
  if redis.call('HGET', userKey, EPOCH) ~= t[2] or address ~= t[3] then return 'ticket_outdated' end
  return nil
end

-- Keeps a status list until then, and forgets those whose time is over.
local function keep_list (key, list, goneAt, now)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZADD', key, goneAt, list)
  if redis.call('PTTL', key) < goneAt - now then redis.call('PEXPIRE', key, math.max(1, goneAt - now)) end
end

-- What a list says of a family beyond its reply: generation, lateCount, when it was last used, device.
local function session_reply (f)
  local name, agent, network = f.rest:match('^(%Z*)%z(%Z*)%z(%Z*)%z')
  return cjson.encode({ f.cur, f.late, f.curAt, name or '', agent or '', network or '' })
end

local function refused (reason) return { 'refused', reason } end

-- As replies.ts and people/account-record.ts read them: a JSON list each, as a list of Redis' own costs the
-- reader more than all the rest of the reply.
local function family_reply (f)
  return cjson.encode({ f.client, f.jkt, f.scope, f.audience, f.startedAt, f.idleUntil, f.endsAt })
end
local function user_reply (user) return cjson.encode(user.answered) end
