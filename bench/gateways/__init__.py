"""The router beside other gateways and beside floors, in interleaved rounds of one run.

Peers come from ``bench.peers``, mock and load from ``bench.proxy``; out come a table, ratios with goals, and, if
asked for, the tables of ``docs/performance.md``.
"""
