-- Order lines and the counts of their verdicts; what follows this text in a script uses its functions.
-- ARGV: prefix of keys, half life in days, cap; then the script's own.
-- A line is the JSON array that `record_json.write_line` writes.
local prefix, half_life, cap = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local ORIGIN = 18262 -- the day that all weights are seen from, as in verdicts.py
local PLACE = { small = 2, fit = 3, large = 4 } -- of a tally; the weight is three further on

local function some(value)
  if value ~= cjson.null then return value end
end

local function read(json)
  local row = cjson.decode(json)
  local line = {
    id = row[1], history_id = row[3], size = row[4], occurred_at = row[7], customer = row[10],
    recommendation_id = some(row[11]), json = json,
  }
  line.verdict = some(row[8]) or (row[5] == 'kept' and 'fit' or nil)
  return line
end

local function lines_key(id) return prefix .. 'lines:' .. string.sub(redis.sha1hex(id), 1, 3) end
local function customer_key(customer) return prefix .. 'customer:' .. customer end
local function advised_key(recommendation_id) return prefix .. 'advised-lines:' .. recommendation_id end
local function place(history_id) return string.sub(redis.sha1hex(history_id), 1, 16) end

-- A customer's lines are members of one sorted set: garment (16), moment (8, the greater the later), id.
local function member(line) return place(line.history_id) .. struct.pack('>d', line.occurred_at) .. line.id end
local function id_of(found) return string.sub(found, 25) end

local function kept(id)
  local json = redis.call('HGET', lines_key(id), id)
  if json then return read(json) end
end

-- By bytes, whatever language the server speaks.
local function less(a, b)
  for at = 1, math.min(#a, #b) do
    local x, y = string.byte(a, at), string.byte(b, at)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function later(a, b)
  if a.occurred_at ~= b.occurred_at then return a.occurred_at > b.occurred_at end
  if a.size ~= b.size then return less(b.size, a.size) end
  return less(b.verdict, a.verdict)
end

-- The other lines that decide whether a line counts: its customer's latest on its garment, and all as late as the last.
local function beside(line)
  local found, from, start = {}, place(line.history_id), 0
  if line.customer == '' then return found end
  while true do
    local key = customer_key(line.customer)
    local members = redis.call('ZREVRANGEBYLEX', key, '[' .. from .. '\255', '[' .. from, 'LIMIT', start, cap + 1)
    for _, name in ipairs(members) do
      local other = kept(id_of(name))
      if #found >= cap and other.occurred_at < found[cap].occurred_at then return found end
      if other.id ~= line.id and other.history_id == line.history_id and other.verdict then
        found[#found + 1] = other
      end
    end
    if #members <= cap then return found end
    start = start + cap + 1
  end
end

local function count(line, sign)
  local key = prefix .. 'counts:' .. line.history_id
  -- Number of verdicts, tallies of small, fit, large, their weights; the first stores had no tallies.
  local sums, held = { 0, 0, 0, 0, 0, 0, 0 }, redis.call('HGET', key, line.size)
  if held then
    local at = 0
    for number in string.gmatch(held, '%S+') do
      at = at + 1
      sums[at] = tonumber(number)
    end
    if at == 4 then sums = { sums[1], 0, 0, 0, sums[2], sums[3], sums[4] } end
  end
  local weight = 2 ^ ((line.occurred_at / 86400 - ORIGIN) / half_life)
  sums[1] = sums[1] + sign
  local at = PLACE[line.verdict]
  sums[at], sums[at + 3] = sums[at] + sign, sums[at + 3] + sign * weight
  if sums[1] <= 0 then
    redis.call('HDEL', key, line.size)
  else
    redis.call('HSET', key, line.size, string.format('%d %d %d %d %.17g %.17g %.17g', unpack(sums)))
  end
end

-- Count a line (sign 1) among the others, or take it back (-1): it may silence one of them, or let it count again.
local function settle(line, sign)
  if not line.verdict then return end
  if line.customer == '' then return count(line, sign) end
  local others = beside(line)
  table.sort(others, later)
  local earlier = 0
  for at, other in ipairs(others) do
    if at > cap then break end
    if later(other, line) then earlier = at end
  end
  if earlier >= cap then return end
  count(line, sign)
  if others[cap] then count(others[cap], -sign) end
end

local function forget(line)
  settle(line, -1)
  redis.call('HDEL', lines_key(line.id), line.id)
  if line.customer ~= '' then redis.call('ZREM', customer_key(line.customer), member(line)) end
  if line.recommendation_id then redis.call('SREM', advised_key(line.recommendation_id), line.id) end
end

local function keep(line)
  redis.call('HSET', lines_key(line.id), line.id, line.json)
  if line.customer ~= '' then redis.call('ZADD', customer_key(line.customer), 0, member(line)) end
  if line.recommendation_id then
    local life = redis.call('PTTL', prefix .. 'advice:' .. line.recommendation_id)
    if life > 0 then
      redis.call('SADD', advised_key(line.recommendation_id), line.id)
      redis.call('PEXPIRE', advised_key(line.recommendation_id), life)
    end
  end
  settle(line, 1)
end
