"""The two HTTP servers: the client API on one port, the operators' view on another.

In come HTTP requests; out go HTTP responses. Handlers translate between aiohttp and the pipeline and decide nothing.
"""
