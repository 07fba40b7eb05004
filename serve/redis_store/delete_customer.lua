-- ARGV[4]: the customer. Returns how many lines they had.
local members = redis.call('ZRANGE', customer_key(ARGV[4]), 0, -1)
for _, name in ipairs(members) do forget(kept(id_of(name))) end
if #members > 0 then redis.call('HSET', prefix .. 'meta', 'deleted', '1') end
return #members
