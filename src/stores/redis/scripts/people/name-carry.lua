-- Puts a claim where it belongs, unless there is one. KEYS: claims. ARGV: name, claim.
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
