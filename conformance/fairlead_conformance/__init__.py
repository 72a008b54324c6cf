"""Judges a gateway from both sides: a client of its own in front, a provider that misbehaves on purpose behind.

In comes the address of a gateway that was told to use the provider's two ports; out go verdicts, one for each case, with
what was seen. Nothing of the gateway is imported, and no HTTP library either: bytes are what is judged. The clauses that
cases cite stand in ``docs/streaming.md``.
"""
