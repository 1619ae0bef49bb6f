-- How Argo CD sees objects of actionoperator.dev: one script for every kind that has a status.
-- docs/gitops.md has the table. It needs no Lua library beyond the base, so `useOpenLibs` can stay off.

local waits_for_somebody = {AwaitingApproval = true, Blocked = true}
local status = obj.status or {}

local function health(word, condition)
  local message = condition.message or condition.reason
  if status.phase ~= nil then
    message = status.phase .. ": " .. message
  end
  return {status = word, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "is being deleted"}
end
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not looked at it yet"}
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local stalled, reconciling, ready = found.Stalled, found.Reconciling, found.Ready

if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled)
end
if reconciling ~= nil and reconciling.status == "True" then
  return health(waits_for_somebody[reconciling.reason] and "Suspended" or "Progressing", reconciling)
end
if ready ~= nil and ready.status == "True" then
  return health(ready.reason == "Suspended" and "Suspended" or "Healthy", ready)
end
return {status = "Progressing", message = "no condition tells yet how it stands"}
