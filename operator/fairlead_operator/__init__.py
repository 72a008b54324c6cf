"""The control plane's edge: watch resources, compile, publish, report status.

In come the four kinds from the API server; out go one snapshot, its credentials and conditions.
Deciding what a resource means does not belong here: that is ``fairlead_crds.compile``.
"""
