-- ARGV: prefix, id, when it expires in ms, then fields and values. Returns 1, or 0 where there is one or one was deleted.
local prefix, id, until_ms = ARGV[1], ARGV[2], ARGV[3]
local key = prefix .. 'shopper:' .. id
if redis.call('ZSCORE', prefix .. 'tombstones', id) or redis.call('EXISTS', key) == 1 then return 0 end
for at = 4, #ARGV, 2 do redis.call('HSET', key, ARGV[at], ARGV[at + 1]) end
redis.call('PEXPIREAT', key, until_ms)
return 1
