"""Which models may answer, and in which order they are tried.

In come a policy (or a model called by name), facts, a view of shared state and a source of draws; out goes a
:class:`~fairlead_router.select.selection.Selection`, a pure function of those four. Calling anybody belongs to ``dispatch``.
"""
