"""Other gateways, and floors to measure against, run here as their makers would have them run, at pinned versions.

In come a name and the base URL of an upstream; out comes a running server, with what a request must carry to reach that
upstream through it. Each lives in a folder of the cache outside the tree (``~/.cache/fairlead/peers``, or below
``FAIRLEAD_CACHE``), installed at its first use. What is done with them belongs elsewhere: speed to ``bench.gateways``,
behaviour to the conformance suite.
"""
