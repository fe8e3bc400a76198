-- Counts tries to log in. KEYS: pair, the other counts, repeat; with the steps 'welcome' and 'forget' pairs.
-- ARGV: step, now or '', maxDelayMs, known, knownForMs, repeatMs, then for each count: by, free, forgetMs.
-- known, knownForMs and repeatMs are read after an admitted try only.
-- Reply of the step 'begin': { 'admitted', known }, { 'repeated' } or { 'throttled', by, ms }. Of 'welcome':
-- for each pair 1 when it is known and nothing delays it, else 0. Of 'forget': how many pairs had failures.
-- Of 'succeeded', 'failed', 'withdrawn': 1.
-- stores/sqlite/people/login-rules.ts says the same in TypeScript; one contract test runs on both.
local REPEAT, COUNTS, BEFORE_COUNTS = KEYS[#KEYS], #KEYS - 1, 6
local step, now, maxDelayMs = ARGV[1], time(ARGV[2]), tonumber(ARGV[3])

-- A count is four numbers: failures, since when the oldest of them is being forgotten, until when nothing is
-- admitted, until when a pair is known.
local function read_count (i)
  local at = BEFORE_COUNTS + 3 * (i - 1)
  local c = {
    key = KEYS[i],
    by = ARGV[at + 1],
    free = tonumber(ARGV[at + 2]),
    forgetMs = tonumber(ARGV[at + 3]),
  }
  c.failures, c.since, c.retryAt, c.knownUntil, c.rest = 0, now, 0, 0, ''
  local packed, behind = redis.call('GET', c.key), 0
  if packed then
    c.failures, c.since, c.retryAt, c.knownUntil, behind = struct.unpack('>dddd', packed)
    -- What a newer release has put behind our numbers is put back with them.
    c.rest = packed:sub(behind)
  end
  -- One failure goes after each forgetMs. A clock that ran backwards forgets nothing.
  local forgotten = math.min(c.failures, math.max(0, math.floor((now - c.since) / c.forgetMs)))
  c.failures = c.failures - forgotten
  if c.failures == 0 then c.since = now else c.since = c.since + forgotten * c.forgetMs end
  return c
end

-- The key goes when it says nothing more.
local function write_count (c)
  local goneAt = math.max(c.retryAt, c.since + c.failures * c.forgetMs, c.knownUntil)
  if goneAt <= now then
    redis.call('DEL', c.key)
  else
    local packed = struct.pack('>dddd', c.failures, c.since, c.retryAt, c.knownUntil) .. c.rest
    redis.call('SET', c.key, packed, 'PX', string.format('%.0f', goneAt - now))
  end
end

-- More than the longest delay is none that was set: the clock went back, and must lock nobody out.
local function wait_of (c)
  local wait = c.retryAt - now
  if wait <= maxDelayMs then return math.max(0, wait) end
  return 0
end

-- 1 s after the last free failure, then twice as much each time. At the longest delay the count stays as it
-- is, so that it is forgotten in time.
local function count_one (c)
  if 1000 * 2 ^ (c.failures - c.free) < maxDelayMs then c.failures = c.failures + 1 end
  if c.failures >= c.free then c.retryAt = now + math.min(maxDelayMs, 1000 * 2 ^ (c.failures - c.free)) end
end

local function take_one_back (c)
  c.failures = math.max(0, c.failures - 1)
  if c.failures < c.free then c.retryAt = 0 end
end

-- A known pair is judged by its own count.
local function counts_of (known)
  local counts = { read_count(1) }
  if not known then
    for i = 2, COUNTS do counts[i] = read_count(i) end
  end
  return counts
end

local function begin ()
  if tonumber(redis.call('GET', REPEAT) or '0') > now then return { 'repeated' } end
  local known = read_count(1).knownUntil > now
  local counts = counts_of(known)
  for _, c in ipairs(counts) do
    local wait = wait_of(c)
    if wait > 0 then return { 'throttled', c.by, wait } end
  end
  for _, c in ipairs(counts) do
    count_one(c)
    write_count(c)
  end
  return { 'admitted', known and 1 or 0 }
end

local function welcome ()
  local reply = {}
  for i = 1, #KEYS do
    local c = read_count(i)
    reply[i] = c.knownUntil > now and wait_of(c) == 0 and 1 or 0
  end
  return reply
end

local function forget ()
  local forgotten = 0
  for i = 1, #KEYS do
    local c = read_count(i)
    if c.failures > 0 or c.retryAt > now then
      c.failures, c.retryAt, forgotten = 0, 0, forgotten + 1
      write_count(c)
    end
  end
  return forgotten
end

local function settle ()
  local known, knownForMs, repeatMs = ARGV[4] == '1', tonumber(ARGV[5]), tonumber(ARGV[6])
  if step == 'failed' then
    redis.call('SET', REPEAT, string.format('%.0f', now + repeatMs), 'PX', repeatMs)
    return 1
  end
  for i, c in ipairs(counts_of(known)) do
    take_one_back(c)
    if i == 1 and step == 'succeeded' then
      c.failures, c.retryAt, c.knownUntil = 0, 0, now + knownForMs
    end
    write_count(c)
  end
  return 1
end

if step == 'begin' then return begin() end
if step == 'welcome' then return welcome() end
if step == 'forget' then return forget() end
return settle()
