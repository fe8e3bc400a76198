-- The next entries of an order, of every shard of the index, and what says whether the index has everybody:
-- for a server that has all of the keys. KEYS: the mark of a walk; the shards of that order; the shards by
-- text; the hashes of the claims of names. ARGV: how many shards there are; between which texts, and how many
-- of each shard; between which texts the names are.
-- Reply: JSON, encoded once, as lists are dear to the driver and each encoding is dear here: how many names
-- nobody has, false where no walk is known; how many are claimed; how many have an entry; the entries of each
-- shard, {} for none.
local shards, from, before, most = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local namesFrom, namesBefore = ARGV[5], ARGV[6]
local dead = redis.call('GET', KEYS[1])
local entries, listed, claimed = {}, 0, 0
for each = 1, shards do
  entries[each] = redis.call('ZRANGEBYLEX', KEYS[1 + each], from, before, 'LIMIT', 0, most)
  listed = listed + redis.call('ZLEXCOUNT', KEYS[1 + shards + each], namesFrom, namesBefore)
end
for each = 2 + 2 * shards, #KEYS do claimed = claimed + redis.call('HLEN', KEYS[each]) end
return cjson.encode({ dead and tonumber(dead), claimed, listed, entries })
