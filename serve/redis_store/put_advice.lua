-- ARGV: prefix, recommendation id, the shopper's id or '', when it expires in ms, record. Returns 1, or 0 where the shopper
-- was deleted.
local prefix, id, shopper_id, until_ms, record = unpack(ARGV)
if shopper_id ~= '' then
  if redis.call('ZSCORE', prefix .. 'tombstones', shopper_id) then return 0 end
  local own = prefix .. 'advices:' .. shopper_id
  redis.call('SADD', own, id)
  redis.call('PEXPIREAT', own, until_ms)
end
redis.call('SET', prefix .. 'advice:' .. id, record)
redis.call('PEXPIREAT', prefix .. 'advice:' .. id, until_ms)
return 1
