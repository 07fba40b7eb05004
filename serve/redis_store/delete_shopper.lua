-- ARGV[4]: the shopper's id, ARGV[5]: the moment.
-- Returns the tombstone's number, how many advices and lines went, and the lines' customers; nothing where there was nothing.
local id, now = ARGV[4], ARGV[5]
local advices = redis.call('SMEMBERS', prefix .. 'advices:' .. id)
local number = redis.call('ZSCORE', prefix .. 'tombstones', id)
if redis.call('EXISTS', prefix .. 'shopper:' .. id) == 0 and #advices == 0 and not number then return {} end
local customers, seen, lines = {}, {}, 0
for _, recommendation_id in ipairs(advices) do
  for _, line_id in ipairs(redis.call('SMEMBERS', advised_key(recommendation_id))) do
    local line = kept(line_id)
    if line then
      lines = lines + 1
      if line.customer ~= '' and not seen[line.customer] then
        seen[line.customer] = true
        customers[#customers + 1] = line.customer
      end
      forget(line)
    end
  end
  redis.call('DEL', prefix .. 'advice:' .. recommendation_id, advised_key(recommendation_id))
end
redis.call('DEL', prefix .. 'advices:' .. id, prefix .. 'shopper:' .. id)
if not number then
  number = redis.call('HINCRBY', prefix .. 'meta', 'tombstones', 1)
  redis.call('ZADD', prefix .. 'tombstones', number, id)
  redis.call('ZADD', prefix .. 'tombstone-times', now, id)
end
redis.call('HSET', prefix .. 'meta', 'deleted', '1')
return { tostring(number), #advices, lines, unpack(customers) }
