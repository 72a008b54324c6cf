local paused = (obj.metadata.annotations or {})["fairlead.dev/paused"] == "true"
local going = obj.metadata.deletionTimestamp ~= nil

return {
  pause = { disabled = paused or going, iconClass = "fa fa-fw fa-pause" },
  resume = { disabled = not paused or going, iconClass = "fa fa-fw fa-play" },
}
