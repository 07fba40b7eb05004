-- ARGV: prefix, id, etag, blob key of the picture or '', contents, record, and the etag that has to be kept, '*' or ''.
-- Returns created, updated or unchanged; or changed, and the etag that is kept or ''.
local prefix, id, etag, image, contents, record, if_match = unpack(ARGV)
local key, images = prefix .. 'garment:' .. id, prefix .. 'images'
local held = redis.call('HMGET', key, 'etag', 'image')
if if_match ~= '' and (not held[1] or (if_match ~= '*' and if_match ~= held[1])) then
  return { 'changed', held[1] or '' }
end
if held[1] == etag then return { 'unchanged' } end
if image ~= '' then redis.call('HINCRBY', images, image, 1) end
if held[2] and held[2] ~= '' and redis.call('HINCRBY', images, held[2], -1) <= 0 then
  redis.call('HDEL', images, held[2])
end
redis.call('HSET', key, 'etag', etag, 'image', image, 'contents', contents, 'record', record)
redis.call('ZADD', prefix .. 'garments', 0, id)
return { held[1] and 'updated' or 'created' }
