"""The scripts that Redis runs: each is one atomic step over all accounts of a request.

Amounts stay text from the caller to ``HINCRBY``, which counts in 64-bit integers; Lua's doubles only compare (exact below 2^53
micro-dollars, nine billion dollars). Spans count from Redis's own ``TIME``. Every key has a time to live, and all keys of one
installation share a hash tag, hence a slot. Written for Redis 6 and newer: ``PEXPIRE GT``, ``ZADD GT`` and function libraries
are not used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_COMMON = """
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function live(key, ttl)
  if redis.call('PTTL', key) < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
end
-- A reservation is a hash: its amount, and a field without a value for each account.
local function turn_into_spent(reservation, spent)
  local held = redis.call('HGETALL', reservation)
  if #held == 0 then return false end
  local amount = redis.call('HGET', reservation, 'amount')
  for i = 1, #held, 2 do
    local account = held[i]
    if account ~= 'amount' and redis.call('EXISTS', account) == 1 then
      if amount ~= '0' then redis.call('HINCRBY', account, 'reserved', '-' .. amount) end
      redis.call('HINCRBY', account, 'spent', spent or amount)
    end
  end
  redis.call('DEL', reservation)
  return true
end
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the name under which Redis keeps it."""

    text: str
    sha: str

    @classmethod
    def of(cls, body: str) -> Script:
        """With what all scripts have in common."""
        text = _COMMON + body
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS reservation, charged, deadlines, account…; ARGV name, amount, hold, kept after it, then limit or '' and ttl per account.
RESERVE = Script.of("""
if redis.call('EXISTS', KEYS[2]) == 1 then return {1} end
for i = 4, #KEYS do
  local limit = ARGV[2 * i - 3]
  if limit ~= '' then
    local held = redis.call('HMGET', KEYS[i], 'spent', 'reserved')
    local spent, reserved = held[1] or '0', held[2] or '0'
    if spent + reserved + ARGV[2] > tonumber(limit) then return {0, i - 4, spent, reserved} end
  end
end
local fresh = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HINCRBY', KEYS[1], 'amount', ARGV[2])
for i = 4, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'reserved', ARGV[2])
  live(KEYS[i], math.max(tonumber(ARGV[2 * i - 2]), tonumber(ARGV[3])))
  if fresh then redis.call('HSET', KEYS[1], KEYS[i], '') end
end
local deadline = milliseconds() + ARGV[3]
local earlier = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not earlier or tonumber(earlier) < deadline then redis.call('ZADD', KEYS[3], deadline, ARGV[1]) end
live(KEYS[1], ARGV[3] + ARGV[4])
live(KEYS[3], ARGV[3] + ARGV[4])
return {1}
""")

# KEYS reservation, deadlines; ARGV name, spent.
SETTLE = Script.of("""
redis.call('ZREM', KEYS[2], ARGV[1])
if turn_into_spent(KEYS[1], ARGV[2]) then return 1 end
return 0
""")

# KEYS reservation, charged, deadlines, account…; ARGV name, spent, remembered, then ttl per account.
CHARGE = Script.of("""
if not redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[3]) then return 0 end
redis.call('ZREM', KEYS[3], ARGV[1])
if turn_into_spent(KEYS[1], ARGV[2]) then return 1 end
for i = 4, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'spent', ARGV[2])
  live(KEYS[i], ARGV[i])
end
return 1
""")

# KEYS deadlines; ARGV what reservations and charged names begin with, remembered, how many at most. Looked at, and charged.
EXPIRE = Script.of("""
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', milliseconds(), 'LIMIT', 0, ARGV[4])
local charged = 0
for _, name in ipairs(late) do
  redis.call('ZREM', KEYS[1], name)
  if turn_into_spent(ARGV[1] .. name, nil) then
    redis.call('SET', ARGV[2] .. name, '', 'PX', ARGV[3])
    charged = charged + 1
  end
end
return {#late, charged}
""")

# KEYS value; ARGV the value it must have.
DELETE_ONLY = Script.of("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")

# KEYS board, deadlines of its entries; ARGV entry, value, ttl.
SHARE = Script.of("""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], milliseconds() + ARGV[3], ARGV[1])
live(KEYS[1], ARGV[3])
live(KEYS[2], ARGV[3])
return 1
""")

# KEYS board, deadlines of its entries.
SHARED = Script.of("""
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', milliseconds())) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return redis.call('HGETALL', KEYS[1])
""")
