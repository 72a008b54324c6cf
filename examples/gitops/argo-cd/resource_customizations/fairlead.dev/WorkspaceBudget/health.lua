-- Health of a Fairlead object by its conditions, the same for every kind. Base library and os.time/os.date are enough:
-- what argocd-cm holds runs without the others.
local os = require("os")

local REFERENCES_MAY_TAKE_SECONDS = 60
local ROUTERS_MAY_TAKE_SECONDS = 600

local metadata = obj.metadata
local status = obj.status or {}
local conditions = status.conditions or {}
local paused = (metadata.annotations or {})["fairlead.dev/paused"] == "true"

local function condition(kind)
  for _, each in ipairs(conditions) do
    if each.type == kind then
      return each
    end
  end
  return nil
end

local function is(kind, value)
  local found = condition(kind)
  return found ~= nil and found.status == value
end

local function told(found)
  if found.message == nil or found.message == "" then
    return found.reason
  end
  return found.reason .. ": " .. found.message
end

-- The time so many seconds ago as RFC 3339 in UTC, which sorts as text. In Argo CD os.date forgets the "!" for UTC when it
-- is given a time as well, so the distance of local time from UTC is taken off by hand.
local function seconds_ago(seconds)
  local now = os.time()
  local utc = os.time(os.date("!*t")) - now
  return os.date("%Y-%m-%dT%H:%M:%SZ", now + utc - seconds)
end

-- Whether none of the conditions has changed for so long. A change gives everything that is still missing its time anew.
local function unchanged_for(seconds)
  local before = seconds_ago(seconds)
  for _, each in ipairs(conditions) do
    if each.lastTransitionTime == nil or each.lastTransitionTime > before then
      return false
    end
  end
  return true
end

local function health(code, message)
  return { status = code, message = message }
end

if metadata.deletionTimestamp ~= nil then
  return health("Progressing", "it is being deleted")
end

local ready = condition("Ready")
if status.observedGeneration == nil or ready == nil then
  return health("Progressing", "the operator has not looked at it yet")
end
if status.observedGeneration ~= metadata.generation or ready.observedGeneration ~= metadata.generation then
  return health("Progressing", "the operator has not looked at the newest generation yet")
end

local accepted = condition("Accepted") or ready
if is("Stalled", "True") and accepted.reason ~= "Paused" then
  return health("Degraded", told(condition("Stalled")))
end

local references = condition("ResolvedRefs")
-- Those of an object that was created paused are not followed: no fault of theirs.
if is("ResolvedRefs", "False") and references.reason ~= "Paused" then
  if unchanged_for(REFERENCES_MAY_TAKE_SECONDS) then
    return health("Degraded", told(references))
  end
  return health("Progressing", told(references))
end

if is("Accepted", "False") or ready.status == "True" then
  if accepted.reason == "Paused" and not paused then
    return health("Progressing", "the operator has not noticed yet that the pause is over")
  end
  if accepted.reason == "Paused" or accepted.reason == "Suspended" then
    return health("Suspended", told(accepted))
  end
  if paused then
    return health("Suspended", "Paused: the operator has not noticed yet")
  end
  return health("Healthy", accepted.message)
end

if unchanged_for(ROUTERS_MAY_TAKE_SECONDS) then
  return health("Degraded", told(ready))
end
return health("Progressing", told(ready))
