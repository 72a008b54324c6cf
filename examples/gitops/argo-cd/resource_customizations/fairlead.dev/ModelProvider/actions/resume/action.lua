local annotations = obj.metadata.annotations or {}
annotations["fairlead.dev/paused"] = nil
-- Argo CD takes an empty table for an empty list, and then keeps what was there before: the annotation would stay.
if next(annotations) == nil then
  obj.metadata.annotations = nil
end
return obj
