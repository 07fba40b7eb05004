-- ARGV: prefix, key that has to be there, key of a hash, then fields and values for it. Returns 1, or 0 where it is not there.
local prefix, needed, key = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', prefix .. needed) == 0 then return 0 end
for at = 4, #ARGV, 2 do redis.call('HSET', prefix .. key, ARGV[at], ARGV[at + 1]) end
return 1
