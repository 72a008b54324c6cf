"""Measurements with goals: how fast the router decides (``bench.decide``) and how fast it passes on (``bench.proxy``)."""
