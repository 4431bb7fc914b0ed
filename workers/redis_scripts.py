"""Steps of the ledger that Redis takes as one (Lua). Times are milliseconds of Redis' own clock.

Keys of a run, behind the prefix ``vitrine:run:ID:``:

==========  ======  ====================================================================================================
info        hash    state, plan, counts, ``sealed`` (number of batches, once all were sent), ``broken_off``,
                    ``parts`` (number of batches that came out of others)
done        set     keys of finished batches
dispatched  set     numbers of batches that were sent
pending     hash    message by key, of every batch that is sent or to be sent and not finished
delayed     zset    keys that wait for their time, by that time
sent        zset    keys whose message is in a queue, by when it was put there
leases      zset    keys that a worker has in hand, by when its lease lapses without a sign of life
holders     hash    token of the worker that has a key in hand
starts      hash    how often a key was started and not ended, by mode: what it may have killed
retries     hash    how often a key was tried again
failures    hash    JSON lines by product
seen        set     ids of products that the feed named
==========  ======  ====================================================================================================
"""

from __future__ import annotations

AUXILIARY_KEYS = (
    "done",
    "dispatched",
    "pending",
    "delayed",
    "sent",
    "leases",
    "holders",
    "starts",
    "retries",
    "seen",
)
"""What a run needs only until it ends."""

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

BEGIN = """
-- KEYS: latest run of the line, all runs, running runs; ARGV: latest as the caller saw it, new id, plan, line, time
local latest = redis.call('GET', KEYS[1]) or ''
if latest ~= ARGV[1] then return 0 end
if latest ~= '' then
  local before = 'vitrine:run:' .. latest .. ':'
  if redis.call('HGET', before .. 'info', 'state') == 'running' then
    redis.call('HSET', before .. 'info', 'state', 'superseded', 'updated_at', ARGV[5])
    redis.call('SREM', KEYS[3], latest)
    for index = 6, #ARGV do redis.call('DEL', before .. ARGV[index]) end
  end
end
redis.call('HSET', 'vitrine:run:' .. ARGV[2] .. ':info', 'state', 'running', 'plan', ARGV[3], 'line', ARGV[4],
  'started_at', ARGV[5], 'updated_at', ARGV[5])
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
redis.call('SADD', KEYS[3], ARGV[2])
return 1
"""

RESTART = """
-- KEYS: prefix of the run; ARGV: time, names of counts, '', names of keys
redis.call('HSET', KEYS[1] .. 'info', 'updated_at', ARGV[1], 'collection', '')
redis.call('HDEL', KEYS[1] .. 'info', 'sealed', 'broken_off', 'batches', 'fraction', 'parts',
  'embedded_with')
redis.call('DEL', KEYS[1] .. 'failures')
local counts = true
for index = 2, #ARGV do
  if ARGV[index] == '' then counts = false
  elseif counts then redis.call('HDEL', KEYS[1] .. 'info', ARGV[index])
  else redis.call('DEL', KEYS[1] .. ARGV[index]) end
end
"""

FINISH = """
-- KEYS: prefix of the run, running runs; ARGV: id, state, removed, reason, time, names of keys
redis.call('HSET', KEYS[1] .. 'info', 'state', ARGV[2], 'removed_at_end', ARGV[3], 'reason', ARGV[4],
  'updated_at', ARGV[5])
redis.call('SREM', KEYS[2], ARGV[1])
for index = 6, #ARGV do redis.call('DEL', KEYS[1] .. ARGV[index]) end
"""

RECORD = (
    _NOW
    + """
-- KEYS: prefix of the run, prefix of the run whose failure list it is; ARGV: key of the batch, time, report
local run = KEYS[1]
local key = ARGV[1]
if redis.call('HGET', run .. 'info', 'state') ~= 'running' then return 0 end
if redis.call('SADD', run .. 'done', key) == 0 then return 0 end
local report = cjson.decode(ARGV[3])
for name, value in pairs(report.counts) do redis.call('HINCRBY', run .. 'info', name, value) end
redis.call('HINCRBY', run .. 'info', 'batches', 1)
redis.call('HSET', run .. 'info', 'updated_at', ARGV[2])
if report.embedded_with ~= '' then
  local before = redis.call('HGET', run .. 'info', 'embedded_with')
  if not before then
    redis.call('HSET', run .. 'info', 'embedded_with', report.embedded_with)
  elseif not string.find('\\n' .. before .. '\\n', '\\n' .. report.embedded_with .. '\\n', 1, true) then
    redis.call('HSET', run .. 'info', 'embedded_with', before .. '\\n' .. report.embedded_with)
  end
end
local list = KEYS[2] .. 'failures'
for _, field in ipairs(report.mended) do redis.call('HDEL', list, field) end
for _, failure in ipairs(report.failures) do
  local before = redis.call('HGET', list, failure.field)
  redis.call('HSET', list, failure.field, before and before .. '\\n' .. failure.line or failure.line)
end
for _, product in ipairs(report.seen) do redis.call('SADD', run .. 'seen', product) end
for _, part in ipairs(report.parts) do
  redis.call('HINCRBY', run .. 'info', 'parts', 1)
  if redis.call('SISMEMBER', run .. 'done', part.key) == 0 then
    redis.call('HSET', run .. 'pending', part.key, part.message)
    redis.call('ZADD', run .. 'delayed', now + part.delay_ms, part.key)
    if part.suspect then redis.call('HSET', run .. 'starts', 'shared:' .. part.key, 1) end
  end
end
redis.call('HDEL', run .. 'pending', key)
redis.call('HDEL', run .. 'holders', key)
redis.call('HDEL', run .. 'retries', key)
redis.call('HDEL', run .. 'starts', 'shared:' .. key, 'alone:' .. key)
for _, name in ipairs({'delayed', 'sent', 'leases'}) do redis.call('ZREM', run .. name, key) end
return 1
"""
)

SENT = (
    _NOW
    + """
-- KEYS: prefix of the run; ARGV: key, message, number if it is a whole batch, share of the feed
local run = KEYS[1]
if redis.call('HGET', run .. 'info', 'state') ~= 'running' then return 0 end
if ARGV[3] ~= '' then redis.call('SADD', run .. 'dispatched', ARGV[3]) end
redis.call('HSET', run .. 'info', 'fraction', ARGV[4])
if redis.call('SISMEMBER', run .. 'done', ARGV[1]) == 1 then return 1 end
if redis.call('HSETNX', run .. 'pending', ARGV[1], ARGV[2]) == 1 then
  redis.call('ZADD', run .. 'sent', now, ARGV[1])
end
return 1
"""
)

CLAIM = (
    _NOW
    + """
-- KEYS: prefix of the run; ARGV: key, token, lease in ms, message, collection that the message names
local run = KEYS[1]
local key = ARGV[1]
if redis.call('HGET', run .. 'info', 'state') ~= 'running' then return {'ended'} end
if (redis.call('HGET', run .. 'info', 'collection') or '') ~= ARGV[5] then return {'ended'} end
if redis.call('SISMEMBER', run .. 'done', key) == 1 then return {'done'} end
local lapses = redis.call('ZSCORE', run .. 'leases', key)
if lapses and tonumber(lapses) > now then return {'busy'} end
if redis.call('ZSCORE', run .. 'delayed', key) then return {'busy'} end
redis.call('HSETNX', run .. 'pending', key, ARGV[4])
redis.call('ZADD', run .. 'leases', now + ARGV[3], key)
redis.call('HSET', run .. 'holders', key, ARGV[2])
redis.call('ZREM', run .. 'sent', key)
return {'claimed', redis.call('HGET', run .. 'starts', 'shared:' .. key) or '0',
  redis.call('HGET', run .. 'starts', 'alone:' .. key) or '0', redis.call('HGET', run .. 'retries', key) or '0'}
"""
)

RENEW = (
    _NOW
    + """
-- KEYS: prefix of the run; ARGV: key, token, lease in ms
if redis.call('HGET', KEYS[1] .. 'holders', ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1] .. 'leases', now + ARGV[3], ARGV[1])
return 1
"""
)

POSTPONE = (
    _NOW
    + """
-- KEYS: prefix of the run; ARGV: key, token, delay in ms, 1 if it counts as a retry
local run = KEYS[1]
if redis.call('HGET', run .. 'holders', ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', run .. 'holders', ARGV[1])
redis.call('ZREM', run .. 'leases', ARGV[1])
redis.call('HDEL', run .. 'starts', 'shared:' .. ARGV[1], 'alone:' .. ARGV[1])
if redis.call('HEXISTS', run .. 'pending', ARGV[1]) == 0 then return 0 end
redis.call('HINCRBY', run .. 'retries', ARGV[1], ARGV[4])
redis.call('ZADD', run .. 'delayed', now + ARGV[3], ARGV[1])
return 1
"""
)

TAKE_DUE = (
    _NOW
    + """
-- KEYS: prefix of the run; ARGV: most keys, age in ms at which a sent message counts as lost ('' if none does)
local run = KEYS[1]
local most = tonumber(ARGV[1])
local taken = {}
local function take(name, last)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', run .. name, '-inf', last, 'LIMIT', 0, most)) do
    redis.call('ZREM', run .. name, key)
    local message = redis.call('HGET', run .. 'pending', key)
    if message and redis.call('SISMEMBER', run .. 'done', key) == 0 then
      redis.call('ZADD', run .. 'sent', now, key)
      redis.call('HDEL', run .. 'holders', key)
      taken[#taken + 1] = message
    end
  end
end
if redis.call('HGET', run .. 'info', 'state') ~= 'running' then return taken end
take('delayed', now)
take('leases', now)
if ARGV[2] ~= '' then take('sent', now - ARGV[2]) end
return taken
"""
)

COMPLETE = """
-- KEYS: prefix of the run; whether every batch of a sealed, running run is finished
local info = KEYS[1] .. 'info'
local sealed = redis.call('HGET', info, 'sealed')
if not sealed or redis.call('HGET', info, 'state') ~= 'running' then return 0 end
if redis.call('SCARD', KEYS[1] .. 'done') < sealed + (redis.call('HGET', info, 'parts') or 0) then return 0 end
return 1
"""

LEASE = """
-- KEYS: the right; ARGV: who asks, lease in ms
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""

RELEASE = """
-- KEYS: the right; ARGV: who gives it back
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
