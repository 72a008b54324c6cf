"""The router beside the least a proxy can be, in the same minutes, on the same core.

Four processes: the router and the bare pass-through take turns on one core; load generator and mock provider share another.
"""
