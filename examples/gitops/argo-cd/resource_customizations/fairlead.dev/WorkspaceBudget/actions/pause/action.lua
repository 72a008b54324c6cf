-- What is in force stays in force, whatever is written, until the annotation goes.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["fairlead.dev/paused"] = "true"
return obj
