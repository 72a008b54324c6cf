"""The one way out: HTTP to providers, on connections that are kept and used again.

In comes an address, headers and a body; out comes an answer that has begun. What is sent and what is made of the answer is
decided by adapters; which addresses may be connected to is checked here, on the address that a name resolved to.
"""
