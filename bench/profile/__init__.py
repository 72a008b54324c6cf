"""Where the router's time goes, request by request and room by room.

In comes a router under load, looked at from outside by a sampling profiler; out comes a table of microseconds per request for
each room. How fast it is beside others belongs to ``bench.gateways``.
"""
