-- Puts an access token on the revocation list until it would have expired. KEYS: revocation.
-- ARGV: now or '', expiresAt.
-- The mark is never left out: if the clock goes back, an expired token could come back.
redis.call('SET', KEYS[1], 1, 'PX', math.max(1, tonumber(ARGV[2]) - time(ARGV[1])))
return 1
