-- ARGV: prefix, id, and the etag that has to be kept, '*' or ''. Returns deleted or missing; or changed, and the etag.
local prefix, id, if_match = unpack(ARGV)
local key, images = prefix .. 'garment:' .. id, prefix .. 'images'
local held = redis.call('HMGET', key, 'etag', 'image')
if if_match ~= '' and (not held[1] or (if_match ~= '*' and if_match ~= held[1])) then
  return { 'changed', held[1] or '' }
end
if held[2] and held[2] ~= '' and redis.call('HINCRBY', images, held[2], -1) <= 0 then
  redis.call('HDEL', images, held[2])
end
redis.call('DEL', key, prefix .. 'embeddings:' .. id)
redis.call('ZREM', prefix .. 'garments', id)
return { held[1] and 'deleted' or 'missing' }
