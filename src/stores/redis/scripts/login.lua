-- Counts tries to log in. KEYS: pair, network, password, repeat.
-- ARGV: step, now or '', pair's free, pair's forgetMs, the same of network and of password, maxDelayMs;
-- after an admitted try also: known, knownForMs, repeatMs.
-- Reply of the step 'begin': { 'admitted', known }, { 'repeated' } or { 'throttled', by, ms }. Of 'succeeded', 'failed', 'withdrawn': 1.
-- stores/sqlite/login-rules.ts says the same in TypeScript; one contract test runs on both.
local NAMES = { 'pair', 'network', 'password' }
local step, now, maxDelayMs = ARGV[1], time(ARGV[2]), tonumber(ARGV[9])

-- A count is four numbers: failures, since when the oldest of them is being forgotten, until when nothing is admitted, until when a pair is known.
local function read_count (i)
  local c = { failures = 0, since = now, retryAt = 0, knownUntil = 0, free = tonumber(ARGV[1 + 2 * i]), forgetMs = tonumber(ARGV[2 + 2 * i]) }
  local packed = redis.call('GET', KEYS[i])
  if packed then c.failures, c.since, c.retryAt, c.knownUntil = struct.unpack('>dddd', packed) end
  -- One failure goes after each forgetMs. A clock that ran backwards forgets nothing.
  local forgotten = math.min(c.failures, math.max(0, math.floor((now - c.since) / c.forgetMs)))
  c.failures = c.failures - forgotten
  if c.failures == 0 then c.since = now else c.since = c.since + forgotten * c.forgetMs end
  return c
end

-- The key goes when it says nothing more.
local function write_count (i, c)
  local goneAt = math.max(c.retryAt, c.since + c.failures * c.forgetMs, c.knownUntil)
  if goneAt <= now then
    redis.call('DEL', KEYS[i])
  else
    redis.call('SET', KEYS[i], struct.pack('>dddd', c.failures, c.since, c.retryAt, c.knownUntil), 'PX', string.format('%.0f', goneAt - now))
  end
end

-- More than the longest delay is none that was set: the clock went back, and must lock nobody out.
local function wait_of (c)
  local wait = c.retryAt - now
  if wait <= maxDelayMs then return math.max(0, wait) end
  return 0
end

-- 1 s after the last free failure, then twice as much each time. At the longest delay the count stays as it is: it is to be forgotten in time.
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
  if not known then counts[2], counts[3] = read_count(2), read_count(3) end
  return counts
end

local function begin ()
  local known = read_count(1).knownUntil > now
  if tonumber(redis.call('GET', KEYS[4]) or '0') > now then return { 'repeated' } end
  local counts = counts_of(known)
  for i, c in ipairs(counts) do
    local wait = wait_of(c)
    if wait > 0 then return { 'throttled', NAMES[i], wait } end
  end
  for i, c in ipairs(counts) do
    count_one(c)
    write_count(i, c)
  end
  return { 'admitted', known and 1 or 0 }
end

local function settle ()
  local known, knownForMs, repeatMs = ARGV[10] == '1', tonumber(ARGV[11]), tonumber(ARGV[12])
  if step == 'failed' then
    redis.call('SET', KEYS[4], string.format('%.0f', now + repeatMs), 'PX', repeatMs)
    return 1
  end
  for i, c in ipairs(counts_of(known)) do
    take_one_back(c)
    if i == 1 and step == 'succeeded' then
      c.failures, c.retryAt, c.knownUntil = 0, 0, now + knownForMs
    end
    write_count(i, c)
  end
  return 1
end

if step == 'begin' then return begin() end
return settle()
