-- ARGV: prefix, then keys of hashes, each before a field of it. Returns the values; one command costs less than many.
local values = {}
for at = 2, #ARGV, 2 do values[#values + 1] = redis.call('HGET', ARGV[1] .. ARGV[at], ARGV[at + 1]) end
return values
