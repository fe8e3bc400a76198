-- Completes the index of a user's sessions by what a walk has found, unless a server without the index came
-- between. KEYS: user. ARGV: now or '', sid, sid …
local sids, complete = read_index(KEYS[1], time(ARGV[1]))
if complete or not sids then return 0 end
local known = {}
for _, sid in ipairs(sids) do known[sid] = true end
for i = 2, #ARGV do
  if not known[ARGV[i]] then sids[#sids + 1] = ARGV[i] end
end
write_index(KEYS[1], sids, true)
return 1
