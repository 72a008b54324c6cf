"""The operator: watches resources, compiles them, publishes the snapshot, and writes status that tells the truth.

A change goes through the rooms in this order: ``observe`` (Kopf watches and authoritative lists feed one inventory),
``fairlead_crds.compile`` (pure), ``publish`` (ConfigMap and Secret), ``routers`` (what the routers run), ``status``
(conditions and Events). ``lead`` lets one replica do all this. ``operator.py`` shows the way on one page.
"""
