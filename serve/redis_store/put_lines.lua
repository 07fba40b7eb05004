-- ARGV from 4 on: lines. Returns what became of each.
local outcomes = {}
for at = 4, #ARGV do
  local line = read(ARGV[at])
  local old = kept(line.id)
  local outcome = old and 'superseded' or 'new'
  if old and old.json == line.json then
    outcome = 'same'
  elseif old and (old.occurred_at > line.occurred_at
      or (old.occurred_at == line.occurred_at and less(line.json, old.json))) then
    outcome = 'older'
  else
    if old then forget(old) end
    keep(line)
  end
  outcomes[#outcomes + 1] = outcome
end
redis.call('HSETNX', prefix .. 'meta', 'lines', '1')
return outcomes
