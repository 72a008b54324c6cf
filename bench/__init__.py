"""Measurements with goals: how fast the router decides (``bench.decide``), passes on (``bench.proxy``), does so beside
other gateways (``bench.gateways``) and obeys an edit (``bench.edit``).

In come options and a seed; out go a table and JSON. Nothing of the product imports this, and no test asserts a time.
"""
