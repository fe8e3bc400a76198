-- Whether a ticket is good. KEYS: user, ticket. ARGV: now or '', then what `why_no_ticket` takes.
-- Reply: why it isn't, or 1.
return why_no_ticket(KEYS[2], KEYS[1], { unpack(ARGV, 2) }, time(ARGV[1])) or 1
