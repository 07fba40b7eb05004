-- ARGV: prefix, then history ids. Returns JSON: for each id its counts and its seeds, as lists of size, numbers, size, …
local found = {}
for at = 2, #ARGV do
  for _, kind in ipairs({ 'counts:', 'seeds:' }) do
    found[#found + 1] = redis.call('HGETALL', ARGV[1] .. kind .. ARGV[at])
  end
end
return cjson.encode(found)
