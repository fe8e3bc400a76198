-- Changes fields of an account and counts its epoch up. KEYS: user, living tokens, the session that lives on,
-- the ticket that allows it. ARGV: now or '', the version that the account must have or '', by how much to
-- count, sid of the session that lives on or '', then what `why_no_ticket` takes or '' three times for no
-- ticket, then field, value, field, value …
-- Reply: { 1, the tokens that die with that }, { 'superseded' } where it has another version, { why the
-- ticket is no good }, or 0 when there is no account.
if not has_account(KEYS[1]) then return 0 end
local now, kept, fields = time(ARGV[1]), ARGV[4], 7
if ARGV[5] ~= '' or ARGV[6] ~= '' then
  local fault = why_no_ticket(KEYS[4], KEYS[1], { unpack(ARGV, 5, fields) }, now)
  if fault then return { fault } end
end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[1], VERSION) or '0') ~= ARGV[2] then return { 'superseded' } end
if ARGV[5] ~= '' or ARGV[6] ~= '' then redis.call('DEL', KEYS[4]) end
if #ARGV > fields then
  redis.call('HSET', KEYS[1], UPDATED, string.format('%.0f', now), unpack(ARGV, fields + 1))
  redis.call('HINCRBY', KEYS[1], VERSION, 1)
end
local epoch = redis.call('HINCRBY', KEYS[1], EPOCH, ARGV[3])
if ARGV[3] == '0' then return { 1, '' } end

-- One that was dead before stays so: its epoch is an earlier one.
local f = kept ~= '' and read_family(KEYS[3])
if f and f.epoch == epoch - tonumber(ARGV[3]) then
  f.epoch = epoch
  write_family(KEYS[3], f, instant_for(f, now))
end
return { 1, live_tokens(KEYS[2], kept ~= '' and kept or nil, true) }
